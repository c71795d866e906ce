package change_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// nightly returns an approved window that opens every night at two, for two hours.
func nightly() *v1alpha1.ChangeWindow {
	w := window()
	w.Spec.Type = v1alpha1.WindowStandard
	w.Spec.Schedule = v1alpha1.Schedule{Recurrence: &v1alpha1.Recurrence{
		Cron: "0 2 * * *", TimeZone: "UTC", Duration: metav1.Duration{Duration: 2 * time.Hour}, ValidUntil: metav1.NewTime(at("00:00:00").AddDate(0, 6, 0)),
	}}
	return w
}

// emergency returns a window of bob's that nobody has approved.
func emergency(name string, created time.Time) *v1alpha1.ChangeWindow {
	w := window()
	w.Name, w.UID, w.CreationTimestamp = name, types.UID(name+"-1"), metav1.NewTime(created)
	w.Spec.Type, w.Spec.Plan = v1alpha1.WindowEmergency, nil
	return w
}

func used(w *v1alpha1.ChangeWindow, day int, keys ...string) []v1alpha1.ChangeExecution {
	var out []v1alpha1.ChangeExecution
	for i, key := range keys {
		x := execution(w, string(rune('0'+i)), key, v1alpha1.ExecutionUsed)
		x.Spec.Occurrence = at("02:00:00").AddDate(0, 0, day).Unix()
		out = append(out, x)
	}
	return out
}

func TestStandardWindows(t *testing.T) {
	two := int32(2)
	for name, test := range map[string]struct {
		reason string
		window func(*v1alpha1.ChangeWindow)
		at     time.Time
		used   []v1alpha1.ChangeExecution
		stage  change.Stage
		why    string
	}{
		"tonight":         {reason: "the base of all cases", at: at("02:30:00"), stage: change.Covers},
		"tomorrow night":  {reason: "approved once, it recurs", at: at("02:30:00").AddDate(0, 0, 1), stage: change.Covers},
		"at noon":         {reason: "between two nights", at: at("12:00:00"), stage: change.NotYetOpen, why: "it opens at 2026-11-29 02:00:00 UTC"},
		"as it closes":    {reason: "the end is excluded", at: at("04:00:00"), stage: change.NotYetOpen, why: "it opens at 2026-11-29 02:00:00 UTC"},
		"after its last":  {reason: "nothing temporary stays for ever", at: at("02:30:00").AddDate(0, 6, 0), stage: change.Closed, why: "it closed at 2027-05-28 00:00:00 UTC"},
		"used tonight":    {reason: "once a night is the default", at: at("02:30:00"), used: used(nightly(), 0, "other"), stage: change.Exhausted, why: "it has been used once, which is all that it allows"},
		"used last night": {reason: "each night has its own", at: at("02:30:00"), used: used(nightly(), -1, "other"), stage: change.Covers},
		"twice a night":   {reason: "the window says so", window: func(w *v1alpha1.ChangeWindow) { w.Spec.MaxExecutionsPerOccurrence = &two }, at: at("02:30:00"), used: used(nightly(), 0, "other"), stage: change.Covers},
		"twice in all":    {reason: "other nights count for the whole", window: func(w *v1alpha1.ChangeWindow) { w.Spec.MaxExecutions = &two }, at: at("02:30:00"), used: append(used(nightly(), -1, "a"), used(nightly(), -2, "b")...), stage: change.Exhausted, why: "it has been used 2 times, of the 2 that it allows"},
		"lowered below its uses": {
			reason: "the window now allows fewer executions than it has had, and the denial counts all of them", window: func(w *v1alpha1.ChangeWindow) { w.Spec.MaxExecutions, w.Spec.MaxExecutionsPerOccurrence = &two, &two }, at: at("02:30:00"),
			used:  append(used(nightly(), -1, "a", "b"), used(nightly(), 0, "c")...),
			stage: change.Exhausted, why: "it has been used 3 times, of the 2 that it allows",
		},
		"the same again":   {reason: "a repeat is the same execution", at: at("02:30:00"), used: used(nightly(), 0, "job-1"), stage: change.Covers},
		"without a plan":   {reason: "it recurs without anybody looking", window: func(w *v1alpha1.ChangeWindow) { w.Spec.Plan = nil }, at: at("02:30:00"), stage: change.NotInForce, why: "it pins no plan, which a window that recurs must"},
		"too long":         {reason: "each occurrence is bounded", window: func(w *v1alpha1.ChangeWindow) { w.Spec.Schedule.Recurrence.Duration.Duration = 9 * time.Hour }, at: at("02:30:00"), stage: change.NotInForce, why: "it lasts longer than the 8h that the environment allows"},
		"without a zone":   {reason: "it is never read as UTC", window: func(w *v1alpha1.ChangeWindow) { w.Spec.Schedule.Recurrence.TimeZone = "" }, at: at("02:30:00"), stage: change.NotInForce, why: `its schedule cannot be read: recurrence.timeZone "": must be the IANA name of a zone, such as Europe/London or UTC`},
		"that never fires": {reason: "elsewhere such windows stood open for ever", window: func(w *v1alpha1.ChangeWindow) { w.Spec.Schedule.Recurrence.Cron = "0 0 30 2 *" }, at: at("02:30:00"), stage: change.Closed, why: "it closed at 2027-05-28 00:00:00 UTC"},
		"approval has gone": {reason: "half a year after it was given", at: at("02:30:00").AddDate(0, 5, 29), window: func(w *v1alpha1.ChangeWindow) {
			w.Spec.Schedule.Recurrence.ValidUntil = metav1.NewTime(at("00:00:00").AddDate(0, 7, 0))
		}, stage: change.Covers},
	} {
		t.Run(name, func(t *testing.T) {
			w := nightly()
			if test.window != nil {
				test.window(w)
			}
			q := question()
			q.At = test.at
			for i := range test.used {
				test.used[i].Spec.Window.UID = w.UID
			}
			v := change.Judge(w, q, &change.State{Approvals: []v1alpha1.ChangeApproval{approval(w, alice())}, Executions: test.used})
			if v.Stage != test.stage || v.Why != test.why {
				t.Errorf("%s: stage %d %q, want %d %q", test.reason, v.Stage, v.Why, test.stage, test.why)
			}
			if v.Stage == change.Covers && v.Occurrence != v.Opens.Unix() {
				t.Errorf("occurrence %d does not name %s", v.Occurrence, v.Opens)
			}
		})
	}
	t.Run("its approval does not last for ever", func(t *testing.T) {
		w, q := nightly(), question()
		w.Spec.Schedule.Recurrence.ValidUntil = metav1.NewTime(at("00:00:00").AddDate(0, 11, 0))
		q.At = at("12:00:00").AddDate(0, 0, -1).Add(4380 * time.Hour)
		v := change.Judge(w, q, &change.State{Approvals: []v1alpha1.ChangeApproval{approval(w, alice())}})
		if v.Stage != change.Unapproved {
			t.Errorf("stage %d %q", v.Stage, v.Why)
		}
	})
}

func TestEmergencies(t *testing.T) {
	first, second := emergency("first", at("01:50:00")), emergency("second", at("01:55:00"))
	judge := func(w *v1alpha1.ChangeWindow, clock string, s *change.State) change.Verdict {
		q := question()
		q.At = at(clock)
		return change.Judge(w, q, s)
	}
	both := func(words ...v1alpha1.ChangeApproval) *change.State {
		return &change.State{Windows: []v1alpha1.ChangeWindow{*first, *second}, Approvals: words}
	}
	twin := emergency("twin", at("01:50:00"))
	twins := &change.State{Windows: []v1alpha1.ChangeWindow{*twin, *first}}
	for name, test := range map[string]struct {
		reason string
		got    change.Verdict
		stage  change.Stage
		why    string
	}{
		"nobody has approved it":         {"it is three in the morning", judge(first, "02:30:00", both()), change.Covers, ""},
		"the second, in its first half":  {"it is never refused", judge(second, "02:30:00", both()), change.Covers, ""},
		"the second, in its second half": {"nobody has looked at the first", judge(second, "03:00:00", both()), change.Closed, "it closed at 2026-11-28 03:00:00 UTC"},
		"the second, the first reviewed": {"somebody has", judge(second, "03:00:00", both(approval(first, alice()))), change.Covers, ""},
		"the second, in another namespace": {"one here and one there are two", judge(second, "03:00:00", &change.State{
			Windows: []v1alpha1.ChangeWindow{*second}, OtherWindows: []v1alpha1.ChangeWindow{*first, *emergency("third", at("01:57:00"))},
		}), change.Closed, "it closed at 2026-11-28 03:00:00 UTC"},
		"of one second, the first":        {"the UIDs decide, so that all replicas halve the same", judge(first, "03:00:00", twins), change.Covers, ""},
		"of one second, the second":       {"its UID is the higher", judge(twin, "03:00:00", twins), change.Closed, "it closed at 2026-11-28 03:00:00 UTC"},
		"the second, reviewed by himself": {"that is no review", judge(second, "03:00:00", both(approval(first, bob()))), change.Closed, "it closed at 2026-11-28 03:00:00 UTC"},
		"rejected":                        {"a rejection revokes it too", judge(first, "02:30:00", both(rejection(first, alice(), "stop"))), change.Rejected, `it was rejected by oidc:sre-alice ("stop")`},
		"as it closes":                    {"the end is excluded", judge(first, "04:00:00", both()), change.Closed, "it closed at 2026-11-28 04:00:00 UTC"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff([]any{test.stage, test.why}, []any{test.got.Stage, test.got.Why}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
	t.Run("how often is not bounded", func(t *testing.T) {
		if v := judge(first, "02:30:00", both()); v.Slots.Max != 0 {
			t.Errorf("it may be used %d times", v.Slots.Max)
		}
	})
	t.Run("too long", func(t *testing.T) {
		w := emergency("long", at("01:00:00"))
		w.Spec.Schedule.End = instant("07:00:00")
		if v := judge(w, "02:30:00", both()); v.Stage != change.NotInForce {
			t.Errorf("stage %d", v.Stage)
		}
	})
}

// Deleting an emergency does not spare its requester the review.
func TestEmergenciesThatAreGone(t *testing.T) {
	gone, there := emergency("gone", at("02:00:00")), emergency("there", at("02:00:00"))
	run := func(w *v1alpha1.ChangeWindow, slot string) v1alpha1.ChangeExecution {
		x := execution(w, slot, slot, v1alpha1.ExecutionUsed)
		x.Spec.Window.Type, x.Spec.Window.RequestedBy = w.Spec.Type, w.Spec.RequestedBy
		return x
	}
	normal := run(window(), "0")
	normal.Spec.Window.Type = v1alpha1.WindowNormal
	executions := []v1alpha1.ChangeExecution{run(gone, "a"), run(gone, "b"), run(there, "c"), normal}
	for name, test := range map[string]struct {
		reason string
		words  []v1alpha1.ChangeApproval
		want   int
	}{
		"nobody looked":      {"it was used twice, and is one emergency", nil, 1},
		"himself":            {"that is no review", []v1alpha1.ChangeApproval{approval(gone, bob())}, 1},
		"somebody looked":    {"the word stays when the window goes", []v1alpha1.ChangeApproval{approval(gone, alice())}, 0},
		"at the other one's": {"a word is about one window", []v1alpha1.ChangeApproval{approval(there, alice())}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := &change.State{Windows: []v1alpha1.ChangeWindow{*there}, Approvals: test.words, Executions: executions}
			if got := change.GoneUnreviewed(s); len(got) != test.want {
				t.Errorf("%s: got %+v, want %d", test.reason, got, test.want)
			}
		})
	}
}

// The rest of the total bounds what a night may still use, to the last execution.
func TestTheLastOfTheWhole(t *testing.T) {
	three := int32(3)
	w := nightly()
	w.Spec.MaxExecutions, w.Spec.MaxExecutionsPerOccurrence = &three, &three
	for tonight, want := range map[int]change.Stage{0: change.Covers, 1: change.Exhausted} {
		q := question()
		q.Key = "another"
		s := &change.State{Windows: []v1alpha1.ChangeWindow{*w}, Approvals: []v1alpha1.ChangeApproval{approval(w, alice())}}
		s.Executions = used(w, -1, "a", "b")
		for i := range tonight {
			s.Executions = append(s.Executions, used(w, 0, string(rune('c'+i)))...)
		}
		v := change.Judge(w, q, s)
		if v.Stage != want {
			t.Errorf("two of three used on other nights, %d tonight: stage %v (%s), want %v", tonight, v.Stage, v.Why, want)
		}
		if want == change.Covers && v.Slots.Max != 1 {
			t.Errorf("tonight %d are left, want 1", v.Slots.Max)
		}
	}
}
