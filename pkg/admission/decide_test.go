package admission_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/admission"
	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/e2e/apistore"
	"github.com/firebreak-dev/firebreak/pkg/ledger"
)

const (
	// slot is the one execution that the window "w" has.
	slot       = "uid-of-w-0-0"
	readFreeze = "list ChangeFreeze in "
	readHome   = "list ChangeWindow in firebreak-system"
	readNear   = "list ChangeWindow in payments"
	readWords  = "list ChangeApproval in payments"
	readUses   = "list ChangeExecution in firebreak-system with firebreak.dev/window-uid in (uid-of-w)"
	askOfKim   = "ask whether kim may approve"
	notThere   = "get Job payments/reindex"
	takeSlot   = "create ChangeExecution " + slot
	giveBack   = "delete ChangeExecution " + slot
	lookAgain  = "list ChangeExecution in firebreak-system with firebreak.dev/window-uid=uid-of-w"
	lookForIt  = "get ChangeExecution firebreak-system/" + slot
)

// stateReads are the calls that one read of the state of payments makes.
func stateReads() []string {
	return []string{readFreeze, readHome, readNear, readWords, readUses, notThere, askOfKim}
}

func also(calls ...string) []string {
	return slices.Sorted(slices.Values(append(stateReads(), calls...)))
}

const (
	maintained  = "it names data store \"orders\", runs psql and is started by a person"
	maintenance = `ChangeWindowRequired: this is maintenance in "production": ` + maintained
	requestOne  = `jobs.batch "reindex" is forbidden: request a window: kubectl firebreak request -f MANIFEST -n payments (`
	haveOne     = `jobs.batch "reindex" is forbidden: have window "w" approved by another member of "production" (not sam): kubectl firebreak approve w -n payments (`
	notNow      = `jobs.batch "reindex" is refused for now: Firebreak could not read from the API server what it judges this by; try again`
)

// A window that covers a request is used once, and the answer says so.
func TestAWindowIsUsed(t *testing.T) {
	w := window("w")
	x := newTrial(t, w, approval(w))
	resp := x.Handle(t.Context(), reindex())
	if !resp.Allowed || resp.Result != nil || len(resp.Warnings) != 0 {
		t.Fatalf("the answer is %+v", resp.AdmissionResponse)
	}
	want := map[string]string{"execution": slot, "window": "payments/w", "maintenance": maintained}
	if diff := cmp.Diff(want, resp.AuditAnnotations); diff != "" {
		t.Errorf("the audit annotations differ: %s", diff)
	}
	if diff := cmp.Diff(also(takeSlot, readWords), x.api.sorted()); diff != "" {
		t.Errorf("the calls differ: %s", diff)
	}
	record := v1alpha1.ChangeExecutionSpec{
		Slot: "0", Key: "job-1", Operation: v1alpha1.OperationCreate, Approvals: []string{"w-kim"},
		Digest:    "v2:sha256:be327c00e3bea3cb4dd2a9c1356c546b2edcec6de31559c5d881b470474259e1",
		Requester: v1alpha1.Stamp{Username: "sam", UID: "sam-1", Groups: []string{"sre"}},
		Object:    v1alpha1.ExecutedObject{Group: "batch", Version: "v1", Kind: "Job", Resource: "jobs", Namespace: "payments", Name: "reindex", UID: "job-1"},
		Window: v1alpha1.ExecutedWindow{
			ObjectReference: v1alpha1.ObjectReference{Namespace: "payments", Name: "w", UID: "uid-of-w"}, Type: v1alpha1.WindowNormal, Environment: "production",
			RequestedBy: w.Spec.RequestedBy, Reason: "rebuild the index", ApprovedBy: []string{"kim"}, Digest: change.WindowDigest(&w.Spec),
		},
	}
	var recorded []v1alpha1.ChangeExecutionSpec
	for _, e := range apistore.All[v1alpha1.ChangeExecution](x.api.Store, home) {
		recorded = append(recorded, e.Spec)
	}
	if diff := cmp.Diff([]v1alpha1.ChangeExecutionSpec{record}, recorded); diff != "" {
		t.Errorf("the record differs: %s", diff)
	}
	if len(x.told.outcomes) != 1 || x.told.outcomes[0].Execution != slot || x.told.outcomes[0].Message != "" || x.told.outcomes[0].Owner != nil {
		t.Errorf("the recorder is told %+v", x.told.outcomes)
	}
	counts := []float64{x.counted("executions_reserved_total"), x.counted("live_reads_total"), x.counted("undecided_total")}
	if diff := cmp.Diff([]float64{1, 1, 0}, counts); diff != "" || len(x.lines) != 0 {
		t.Errorf("reserved, read, undecided: %s; log %q", diff, x.lines)
	}
}

// step is called for each API call while a request is judged.
type step func(x *trial, call string) error

// once returns a step that does something before the first call of a name.
func once(call string, do func(x *trial) error) step {
	done := false
	return func(x *trial, c string) error {
		if c != call || done {
			return nil
		}
		done = true
		return do(x)
	}
}

// taken returns an execution that another requester has reserved.
func taken(slot, key string) *v1alpha1.ChangeExecution {
	return &v1alpha1.ChangeExecution{
		ObjectMeta: metav1.ObjectMeta{Name: "uid-of-w-0-" + slot, Namespace: home, UID: "other", CreationTimestamp: metav1.NewTime(night()), Labels: map[string]string{v1alpha1.LabelWindowUID: "uid-of-w"}},
		Spec: v1alpha1.ChangeExecutionSpec{
			Window: v1alpha1.ExecutedWindow{ObjectReference: v1alpha1.ObjectReference{Namespace: "payments", Name: "w", UID: "uid-of-w"}},
			Slot:   slot, Key: key, Requester: v1alpha1.Stamp{Username: "robin"}, Operation: v1alpha1.OperationCreate,
			Object: v1alpha1.ExecutedObject{Group: "batch", Version: "v1", Kind: "Job", Namespace: "payments", Name: "reindex-2"},
		},
	}
}

func fail(*trial) error { return errDown }

// A change between the first look at a window and the answer is never to the requester's advantage.
func TestBetweenTheLookAndTheAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		reason     string
		prepare    func(x *trial)
		meanwhile  step
		code       int32 // 0 if the request is admitted
		message    string
		calls      []string
		executions []string
		log        string // the end of the log line; empty if there is none
	}{
		"an approval is withdrawn": {
			reason: "a revocation that was answered is always honoured, and the slot is given back",
			meanwhile: once(takeSlot, func(x *trial) error {
				x.api.Drop(approval(window("w")))
				return nil
			}),
			code: http.StatusForbidden, message: haveOne + maintenance + `; window "w" does not permit it, since it has 0 of 1 approvals)`,
			calls: also(takeSlot, readWords, giveBack), executions: []string{},
		},
		"somebody rejects": {
			reason: "one rejection outweighs the approvals",
			meanwhile: once(takeSlot, func(x *trial) error {
				no := approval(window("w"))
				no.Name, no.Spec.Decision, no.Spec.Comment = "w-no", v1alpha1.DecisionReject, "not tonight"
				return x.api.Put(no)
			}),
			code: http.StatusForbidden, message: requestOne + maintenance + `; window "w" does not permit it, since it was rejected by kim ("not tonight"))`,
			calls: also(takeSlot, readWords, giveBack), executions: []string{},
		},
		"the approvals cannot be read again": {
			reason:  "nobody knows whether they stand",
			prepare: func(x *trial) { x.api.Set(apistore.Blind) },
			code:    http.StatusServiceUnavailable, message: notNow,
			calls: also(takeSlot, readWords, giveBack), executions: []string{},
			log: `"error"="list approvals: connection reset by peer"`,
		},
		"another request takes the last slot": {
			reason:    "judged again, the window says itself that it is used up",
			meanwhile: once(takeSlot, func(x *trial) error { return x.api.Put(taken("0", "job-2")) }),
			code:      http.StatusForbidden, message: `jobs.batch "reindex" is forbidden: request another window: kubectl firebreak request -f MANIFEST -n payments; or, if that came to nothing, have it given back: kubectl firebreak release uid-of-w-0-0 (ExecutionsExhausted: window "w" covers this, but it has been used once, which is all that it allows: last by robin, to create Job "reindex-2", at 2026-11-28 02:30:00 UTC)`,
			calls: slices.Sorted(slices.Values(append(also(takeSlot, lookAgain), stateReads()...))), executions: []string{slot},
		},
		"the state cannot be read once the slot is lost": {
			reason:  "nobody knows what the window has left",
			prepare: func(x *trial) { x.Ledger = full{} },
			meanwhile: func() step {
				reads := 0
				return func(_ *trial, c string) error {
					if c != readHome {
						return nil
					}
					if reads++; reads == 2 {
						return errDown
					}
					return nil
				}
			}(),
			code: http.StatusServiceUnavailable, message: notNow,
			calls: slices.Sorted(slices.Values(append(stateReads(), readFreeze, readHome, readNear))), executions: []string{},
			log: `"error"="list change windows: the API server does not answer"`,
		},
		"a slot that is free again": {
			reason:  "a retry takes it",
			prepare: func(x *trial) { x.Ledger = full{} },
			code:    http.StatusServiceUnavailable, message: notNow,
			calls: also(stateReads()...), executions: []string{},
			log: `"error"="other requests took the slots that were tried"`,
		},
		"the same request again": {
			reason:  "it holds its slot, and writes nothing",
			prepare: func(x *trial) { _ = x.api.Put(taken("0", "job-1")) },
			calls:   also(readWords), executions: []string{slot},
		},
		"the slot cannot be written": {
			reason:  "nothing is admitted that is not recorded",
			prepare: func(x *trial) { x.api.Set(apistore.Unwritten) },
			code:    http.StatusServiceUnavailable, message: notNow,
			calls: also(takeSlot, lookForIt), executions: []string{},
			log: `"error"="reserve an execution: connection reset by peer"`,
		},
		"the answer to the writing is lost": {
			reason:  "what was written is looked for and given back",
			prepare: func(x *trial) { x.api.Set(apistore.Unanswered) },
			code:    http.StatusServiceUnavailable, message: notNow,
			calls: also(takeSlot, lookForIt, giveBack), executions: []string{},
			log: `"error"="reserve an execution: connection reset by peer"`,
		},
		"nobody can tell whose the slots are": {
			reason: "nothing is taken",
			meanwhile: func(x *trial, c string) error {
				switch c {
				case takeSlot:
					return x.api.Put(taken("0", "job-2"))
				case lookAgain:
					return errDown
				}
				return nil
			},
			code: http.StatusServiceUnavailable, message: notNow,
			calls: also(takeSlot, lookAgain), executions: []string{slot},
			log: `"error"="list the executions of window \"w\": the API server does not answer"`,
		},
		"whether the approver may still approve": {
			reason:    "what nobody can tell admits nothing",
			meanwhile: once(askOfKim, fail),
			code:      http.StatusServiceUnavailable, message: notNow,
			calls: stateReads(), executions: []string{},
			log: `"error"="ask whether kim may still approve: review the access: the API server does not answer"`,
		},
		"an approver who has lost the right": {
			reason:  "that they held it once permits nothing today",
			prepare: func(x *trial) { x.api.Revoke("kim") },
			code:    http.StatusForbidden, message: haveOne + maintenance + `; window "w" does not permit it, since it has 0 of 1 approvals (kim no longer holds the verb approve))`,
			calls: stateReads(), executions: []string{},
		},
		"the first look fails": {
			reason:    "that nothing could be read is not that nothing is there",
			meanwhile: once(readUses, fail),
			code:      http.StatusServiceUnavailable, message: notNow,
			calls: slices.DeleteFunc(stateReads(), func(c string) bool { return c == askOfKim }), executions: []string{},
			log: `"error"="list executions: the API server does not answer"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := window("w")
			x := newTrial(t, w, approval(w))
			if tc.prepare != nil {
				tc.prepare(x)
			}
			if tc.meanwhile != nil {
				x.api.meanwhile = func(call string) error { return tc.meanwhile(x, call) }
			}
			resp := x.Handle(t.Context(), reindex())
			checkAnswer(t, resp, tc.code, tc.message, tc.reason)
			if diff := cmp.Diff(slices.Sorted(slices.Values(tc.calls)), x.api.sorted()); diff != "" {
				t.Errorf("the calls differ: %s: %s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.executions, x.executions()); diff != "" {
				t.Errorf("the executions differ: %s: %s", tc.reason, diff)
			}
			undecided := 0.0
			if tc.log != "" {
				undecided = 1
				if got := x.logged(); !strings.Contains(got, tc.log+` "operation"="CREATE" "resource"="jobs" "subresource"="" "namespace"="payments" "name"="reindex" "user"="sam"`) {
					t.Errorf("the log says %s, want %s", got, tc.log)
				}
			}
			if got := x.counted("undecided_total"); got != undecided {
				t.Errorf("%v undecided, want %v", got, undecided)
			}
		})
	}
}

// full is a ledger that never has a slot.
type full struct{}

func (full) Reserve(context.Context, ledger.ReservationRequest) (*ledger.Reservation, error) {
	return nil, ledger.ErrExhausted
}
func (full) Write(context.Context, *v1alpha1.ChangeRecordSpec, string, time.Time) error { return nil }
func (full) Release(context.Context, *ledger.Reservation) error {
	return errors.New("there is nothing to give back")
}

// A dry run is told that it would pass, and uses no execution.
func TestADryRunUsesNothing(t *testing.T) {
	w := window("w")
	x := newTrial(t, w, approval(w))
	req := reindex()
	req.DryRun = new(bool)
	*req.DryRun = true
	resp := x.Handle(t.Context(), req)
	checkAnswer(t, resp, 0, "", "a window covers it")
	if diff := cmp.Diff(map[string]string{"maintenance": maintained}, resp.AuditAnnotations); diff != "" {
		t.Errorf("the audit annotations differ: %s", diff)
	}
	if diff := cmp.Diff(slices.DeleteFunc(also(), func(c string) bool { return c == notThere }), x.api.sorted()); diff != "" || len(x.told.outcomes) != 0 || x.counted("executions_reserved_total") != 0 {
		t.Errorf("it uses something: %s %+v", diff, x.told.outcomes)
	}
}

// A request that needs no window by any rule is judged from memory: no call is made.
func TestMostRequestsReadNothing(t *testing.T) {
	x := newTrial(t)
	req := reindex()
	req.Object.Raw = []byte(strings.NewReplacer("orders.prod.db", "orders.dev.db", `"psql","-h"`, `"serve","-h"`).Replace(reindexJob))
	req.Namespace = "dev"
	resp := x.Handle(t.Context(), req)
	checkAnswer(t, resp, 0, "", "it names nothing of production")
	if len(resp.AuditAnnotations) != 0 || len(resp.Warnings) != 0 || len(x.api.calls) != 0 || len(x.told.outcomes) != 0 || x.counted("live_reads_total") != 0 {
		t.Errorf("it is told %v and %q, the calls are %q, the recorder is told %+v", resp.AuditAnnotations, resp.Warnings, x.api.calls, x.told.outcomes)
	}
}

// If the slot cannot be given back either, it stays used, and both failures are in the log.
func TestWhatCannotBeGivenBack(t *testing.T) {
	w := window("w")
	x := newTrial(t, w, approval(w))
	x.api.Set(apistore.Stuck)
	checkAnswer(t, x.Handle(t.Context(), reindex()), http.StatusServiceUnavailable, notNow, "the answer to the writing is lost")
	if diff := cmp.Diff([]string{slot}, x.executions()); diff != "" {
		t.Errorf("the executions differ: %s", diff)
	}
	if len(x.lines) != 2 || !strings.Contains(x.lines[0], `"msg"="could not give a reservation back" "error"="look for reservation `+slot+`: connection reset by peer" "execution"="`+slot+`"`) {
		t.Errorf("the log says %q", x.lines)
	}
}

// If the reserved window no longer covers the request and another one would, the retry uses that one.
func TestAnotherWindowTakesOver(t *testing.T) {
	first, second := window("w"), window("x")
	x := newTrial(t, first, approval(first), second)
	x.api.meanwhile = func(call string) error {
		if call != takeSlot {
			return nil
		}
		x.api.Drop(approval(first))
		return x.api.Put(approval(second))
	}
	checkAnswer(t, x.Handle(t.Context(), reindex()), http.StatusServiceUnavailable, notNow, "its slot is of the first window")
	if got := x.logged(); !strings.Contains(got, `"error"="window \"w\" no longer covers the request"`) {
		t.Errorf("the log says %s", got)
	}
	if diff := cmp.Diff([]string{}, x.executions()); diff != "" {
		t.Errorf("the slot is kept: %s", diff)
	}
	x.api.meanwhile = nil
	resp := x.Handle(t.Context(), reindex())
	checkAnswer(t, resp, 0, "", "the retry finds the second window")
	if resp.AuditAnnotations["window"] != "payments/x" {
		t.Errorf("the audit annotations are %v", resp.AuditAnnotations)
	}
}

// late is a reader that calls then after it has read the approvals again.
type late struct {
	admission.Live
	then func()
}

func (l late) Again(ctx context.Context, s *change.State, at time.Time, windows, namespace string, configMaps []string) error {
	err := l.Live.Again(ctx, s, at, windows, namespace, configMaps)
	l.then()
	return err
}

// A request whose time is over uses no execution, however far it got.
func TestTheDeadlineAfterASlot(t *testing.T) {
	for name, end := range map[string]func(x *trial, cancel func()){
		"when the slot is taken": func(x *trial, cancel func()) {
			x.api.meanwhile = func(call string) error {
				if call == takeSlot {
					cancel()
				}
				return nil
			}
		},
		"when the approvals are there": func(x *trial, cancel func()) { x.Live = late{x.Live, cancel} },
	} {
		t.Run(name, func(t *testing.T) {
			w := window("w")
			x := newTrial(t, w, approval(w))
			ctx, cancel := context.WithCancel(t.Context())
			end(x, cancel)
			checkAnswer(t, x.Handle(ctx, reindex()), http.StatusServiceUnavailable, notNow, "the API server has given it up")
			if diff := cmp.Diff([]string{}, x.executions()); diff != "" || x.counted("executions_reserved_total") != 0 {
				t.Errorf("the slot is kept: %s", diff)
			}
		})
	}
}

// A session is recorded by the kind of its object, not by that of its options.
func TestASessionIsRecorded(t *testing.T) {
	w := window("w")
	w.Spec.Scope = v1alpha1.Scope{Operations: []v1alpha1.Operation{v1alpha1.OperationExec}, Resources: []v1alpha1.ScopedResource{{Kind: "Pod", Names: []v1alpha1.Glob{"db-0"}}}}
	x := newTrial(t, w, approval(w))
	req := reindex()
	req.Operation, req.SubResource, req.Name = "CONNECT", "exec", "db-0"
	req.Kind = metav1.GroupVersionKind{Version: "v1", Kind: "PodExecOptions"}
	req.Resource = metav1.GroupVersionResource{Version: "v1", Resource: "pods"}
	req.Object.Raw = []byte(`{"kind":"PodExecOptions","apiVersion":"v1","command":["psql","-h","orders.prod.db.example.com"]}`)
	resp := x.Handle(t.Context(), req)
	checkAnswer(t, resp, 0, "", "a window covers it")
	used := apistore.All[v1alpha1.ChangeExecution](x.api.Store, home)
	if len(used) != 1 || used[0].Spec.Operation != v1alpha1.OperationExec {
		t.Fatalf("recorded: %+v", used)
	}
	if diff := cmp.Diff(v1alpha1.ExecutedObject{Version: "v1", Kind: "Pod", Resource: "pods", Namespace: "payments", Name: "db-0"}, used[0].Spec.Object); diff != "" {
		t.Errorf("the object recorded differs: %s", diff)
	}
}
