package ledger_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/e2e/apistore"
	"github.com/firebreak-dev/firebreak/pkg/ledger"
)

const home = "firebreak-system"

// slots returns the verdict of a window with n executions; 0 sets no limit.
func slots(n int) change.Verdict {
	return change.Verdict{
		Window: &v1alpha1.ChangeWindow{ObjectMeta: metav1.ObjectMeta{Name: "w", Namespace: "payments", UID: "w-1"}, Spec: v1alpha1.ChangeWindowSpec{Environment: "production"}},
		Slots:  change.Slots{Max: n},
	}
}

func claim(key string, v change.Verdict) ledger.ReservationRequest {
	return ledger.ReservationRequest{Verdict: v, Key: key, Operation: v1alpha1.OperationCreate, Requester: v1alpha1.Stamp{Username: "sam"}, Object: v1alpha1.ExecutedObject{Kind: "Job", Namespace: "payments", Name: "reindex"}}
}

func opened() (*apistore.Store, *ledger.Ledger) {
	s := apistore.New(func() time.Time { return time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC) })
	return s, ledger.New(s, home)
}

func records(s *apistore.Store) []v1alpha1.ChangeExecution {
	return apistore.All[v1alpha1.ChangeExecution](s, home)
}

// The execution that is created is the reservation, and names its requester and its window.
func TestReserve(t *testing.T) {
	s, l := opened()
	r, err := l.Reserve(t.Context(), claim("k-1", slots(1)))
	if err != nil {
		t.Fatal(err)
	}
	got := records(s)
	if len(got) != 1 || got[0].Name != "w-1-0-0" || got[0].Name != r.Name || r.UID == "" || r.Held {
		t.Fatalf("recorded: %+v, reserved: %+v", got, r)
	}
	if x := got[0]; x.Spec.Key != "k-1" || x.Spec.Slot != "0" || x.Spec.Requester.Username != "sam" || x.Labels[v1alpha1.LabelWindowUID] != "w-1" || x.Spec.Window.Name != "w" || x.Spec.Object.Name != "reindex" {
		t.Errorf("the record is %+v", x.Spec)
	}
}

// The state may have changed since it was read: the slot that Reserve tries is taken, and it looks again.
func TestReserveAmongOthers(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		first  []string // keys that reserve before
		key    string
		max    int
		want   error
		held   bool
		slots  int
	}{
		"the last one is gone":   {"nobody told this claim of the other", []string{"a"}, "b", 1, ledger.ErrExhausted, false, 1},
		"the same key":           {"a repeat is the same execution", []string{"a"}, "a", 1, nil, true, 1},
		"one of two":             {"there is another slot", []string{"a"}, "b", 2, nil, false, 2},
		"both of two":            {"there is no third", []string{"a", "b"}, "c", 2, ledger.ErrExhausted, false, 2},
		"without a limit":        {"each key has its own slot", []string{"a"}, "b", 0, nil, false, 2},
		"without a limit, again": {"and keeps it", []string{"a"}, "a", 0, nil, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, l := opened()
			for _, key := range tc.first {
				if _, err := l.Reserve(t.Context(), claim(key, slots(tc.max))); err != nil {
					t.Fatal(err)
				}
			}
			r, err := l.Reserve(t.Context(), claim(tc.key, slots(tc.max)))
			if !errors.Is(err, tc.want) {
				t.Fatalf("%v, want %v: %s", err, tc.want, tc.reason)
			}
			if err == nil && r.Held != tc.held {
				t.Errorf("held before: %t, want %t: %s", r.Held, tc.held, tc.reason)
			}
			if got := len(records(s)); got != tc.slots {
				t.Errorf("%d records, want %d: %s", got, tc.slots, tc.reason)
			}
		})
	}
}

// A key that holds a slot by the state that was read keeps it, and nothing is written.
func TestHeldSlotsAreKept(t *testing.T) {
	s, l := opened()
	v := slots(1)
	v.Slots.Held, v.Slots.Taken = "0", []string{"0"}
	r, err := l.Reserve(t.Context(), claim("a", v))
	if err != nil || !r.Held || r.Name != "w-1-0-0" {
		t.Fatalf("%v, %+v", err, r)
	}
	if err := l.Release(t.Context(), r); err != nil {
		t.Errorf("giving it back, which it is not this request's to do: %v", err)
	}
	if n := len(records(s)); n != 0 {
		t.Errorf("%d records were written", n)
	}
}

// A released slot makes room for another under a new name: its record stays.
func TestReleasedSlots(t *testing.T) {
	_, l := opened()
	v := slots(1)
	v.Slots.Released = []string{"0"}
	r, err := l.Reserve(t.Context(), claim("b", v))
	if err != nil || r.Spec.Slot != "1" {
		t.Fatalf("%v, %+v", err, r)
	}
	v.Slots.Taken = []string{"1"}
	if _, err := l.Reserve(t.Context(), claim("c", v)); !errors.Is(err, ledger.ErrExhausted) {
		t.Errorf("one execution more than there are: %v", err)
	}
}

// However many requests come at once, through however many replicas, exactly as many executions are reserved as there are.
func TestRacesAreExact(t *testing.T) {
	s, _ := opened()
	const requests, limit = 50, 7
	var all sync.WaitGroup
	outcomes := make(chan error, requests)
	for i := range requests {
		all.Go(func() {
			err := ledger.ErrContended
			for errors.Is(err, ledger.ErrContended) { // the requester tries again
				_, err = ledger.New(s, home).Reserve(t.Context(), claim(fmt.Sprint("k-", i), slots(limit)))
			}
			outcomes <- err
		})
	}
	all.Wait()
	close(outcomes)
	reserved, refused := 0, 0
	for err := range outcomes {
		switch {
		case err == nil:
			reserved++
		case errors.Is(err, ledger.ErrExhausted):
			refused++
		default:
			t.Error(err)
		}
	}
	if reserved != limit || refused != requests-limit || len(records(s)) != limit {
		t.Errorf("%d reserved, %d refused, %d records; want %d of %d", reserved, refused, len(records(s)), limit, requests)
	}
}

// Requests at once, of two entries that are counted apart and of one window that is limited as a whole besides, get as many executions as both
// limits leave: exactly.
func TestRacesUnderTwoLimitsAreExact(t *testing.T) {
	for name, tc := range map[string]struct {
		reason           string
		total, each      int
		prefix           string
		want, wantByName int
	}{
		"apart":                {"three of each entry, and nobody takes another's", 0, 3, "e%d-", 6, 3},
		"the total is less":    {"four of six", 4, 3, "", 4, 0},
		"the entries are less": {"six, though ten would be free", 10, 3, "", 6, 3},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := opened()
			var all sync.WaitGroup
			for i := range 50 {
				all.Go(func() {
					v := slots(tc.total)
					v.Slots.Entry, v.Slots.EntryMax = fmt.Sprint("e", i%2), tc.each
					if tc.prefix != "" {
						v.Slots = change.Slots{Prefix: fmt.Sprintf(tc.prefix, i%2), Max: tc.each, Entry: v.Slots.Entry}
					}
					err := ledger.ErrContended
					for errors.Is(err, ledger.ErrContended) { // the requester tries again
						_, err = ledger.New(s, home).Reserve(t.Context(), claim(fmt.Sprint("k-", i), v))
					}
					if err != nil && !errors.Is(err, ledger.ErrExhausted) {
						t.Error(err)
					}
				})
			}
			all.Wait()
			got := map[string]int{}
			for _, x := range records(s) {
				got[x.Spec.Entry]++
			}
			if got["e0"]+got["e1"] != tc.want || got["e0"] > tc.each || got["e1"] > tc.each || tc.wantByName > 0 && got["e0"] != tc.wantByName {
				t.Errorf("executions %v, want %d: %s", got, tc.want, tc.reason)
			}
		})
	}
}

// When a call fails, the slot may or may not be taken. It is given back if it is this request's, and only then.
func TestFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		reason    string
		fault     apistore.Fault
		recorded  int
		releases  string // the error of giving back; empty if there is none
		remaining int
	}{
		"nothing was stored":  {"there is nothing to give back", apistore.Unwritten, 0, "", 0},
		"the answer is lost":  {"what was stored is found and given back", apistore.Unanswered, 1, "", 0},
		"and nobody can look": {"then it stays used, and the settler looks after it", apistore.Stuck, 1, "look for reservation w-1-0-0: connection reset by peer", 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, l := opened()
			s.Set(tc.fault)
			r, err := l.Reserve(t.Context(), claim("a", slots(1)))
			if err == nil || err.Error() != "reserve an execution: connection reset by peer" || r == nil {
				t.Fatalf("%v, %+v", err, r)
			}
			if got := len(records(s)); got != tc.recorded {
				t.Fatalf("%d records, want %d", got, tc.recorded)
			}
			err = l.Release(t.Context(), r)
			if got := fmt.Sprint(err); got != tc.releases && (err != nil || tc.releases != "") {
				t.Errorf("giving back: %v, want %q: %s", err, tc.releases, tc.reason)
			}
			if got := len(records(s)); got != tc.remaining {
				t.Errorf("%d records remain, want %d: %s", got, tc.remaining, tc.reason)
			}
		})
	}
}

// A slot that has changed hands since is left alone.
func TestWhatIsAnothersIsNotGivenBack(t *testing.T) {
	s, l := opened()
	s.Set(apistore.Unwritten)
	lost, err := l.Reserve(t.Context(), claim("a", slots(1)))
	if err == nil {
		t.Fatal("the creation was to fail")
	}
	s.Set(apistore.None)
	other, err := l.Reserve(t.Context(), claim("b", slots(1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Release(t.Context(), lost); err != nil {
		t.Error(err)
	}
	if got := records(s); len(got) != 1 || got[0].Spec.Key != "b" {
		t.Fatalf("recorded: %+v", got)
	}
	if err := l.Release(t.Context(), other); err != nil {
		t.Error(err)
	}
	if err := l.Release(t.Context(), other); err != nil {
		t.Errorf("given back twice: %v", err)
	}
	if n := len(records(s)); n != 0 {
		t.Errorf("%d records remain", n)
	}
}

// If the holders of the slots cannot be listed, nothing is reserved.
func TestListingFails(t *testing.T) {
	s, l := opened()
	if _, err := l.Reserve(t.Context(), claim("a", slots(1))); err != nil {
		t.Fatal(err)
	}
	s.Set(apistore.Reads)
	if _, err := l.Reserve(t.Context(), claim("b", slots(1))); err == nil || err.Error() != `list the executions of window "w": connection reset by peer` {
		t.Errorf("%v", err)
	}
}
