package controller

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// word returns an approval or rejection of a window, at noon of the day before.
func word(w *v1alpha1.ChangeWindow, by string, decision v1alpha1.ApprovalDecision) *v1alpha1.ChangeApproval {
	return &v1alpha1.ChangeApproval{
		ObjectMeta: metav1.ObjectMeta{Name: w.Name + "-" + by, Namespace: w.Namespace, CreationTimestamp: metav1.NewTime(at("12:00:00").AddDate(0, 0, -1))},
		Spec: v1alpha1.ChangeApprovalSpec{
			Window: &v1alpha1.LocalReference{Name: w.Name, UID: string(w.UID)}, Digest: change.WindowDigest(&w.Spec), Decision: decision, Approver: person(by),
		},
	}
}

// execution returns a use of a window.
func execution(w *v1alpha1.ChangeWindow, name string, change func(*v1alpha1.ChangeExecution)) *v1alpha1.ChangeExecution {
	x := &v1alpha1.ChangeExecution{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: own, UID: "12345678-" + "uid-of-" + w.UID, CreationTimestamp: *instant("02:10:00")}}
	x.Spec.Window = v1alpha1.ExecutedWindow{
		ObjectReference: v1alpha1.ObjectReference{Namespace: w.Namespace, Name: w.Name, UID: w.UID},
		Type:            w.Spec.Type, Environment: w.Spec.Environment, RequestedBy: w.Spec.RequestedBy,
	}
	x.Spec.Slot, x.Spec.Key, x.Spec.Requester, x.Spec.Operation = "0", name, *person("bob"), v1alpha1.OperationCreate
	x.Spec.Object = v1alpha1.ExecutedObject{Group: "batch", Version: "v1", Kind: "Job", Namespace: "payments", Name: "reindex", UID: "job-1"}
	if change != nil {
		change(x)
	}
	return x
}

func released(x *v1alpha1.ChangeExecution) { x.Status.State = v1alpha1.ExecutionReleased }

// windowStatus is the status of a window in short.
type windowStatus struct {
	phase, approvals, opens, closes, executions string
	conditions                                  []string
}

func windowStatusOf(t *testing.T, s *stage, w *v1alpha1.ChangeWindow) windowStatus {
	t.Helper()
	var got v1alpha1.ChangeWindow
	if err := s.client.Get(t.Context(), client.ObjectKeyFromObject(w), &got); err != nil {
		t.Fatal(err)
	}
	st := got.Status
	if st.ObservedGeneration != w.Generation || st.Digest != change.WindowDigest(&w.Spec) {
		t.Errorf("it is about generation %d and %s", st.ObservedGeneration, st.Digest)
	}
	out := windowStatus{phase: string(st.Phase), approvals: st.Approvals, executions: fmt.Sprint(st.Executions.Count, st.Executions.Last)}
	for to, from := range map[*string]*metav1.Time{&out.opens: st.OpensAt, &out.closes: st.ClosesAt} {
		if from != nil {
			*to = from.UTC().Format(time.DateTime)
		}
	}
	for _, c := range st.Conditions {
		out.conditions = append(out.conditions, fmt.Sprintf("%s %s %s: %s", c.Type, c.Status, c.Reason, c.Message))
	}
	return out
}

func TestStatusOfWindows(t *testing.T) {
	const opens, closes, heart = "2026-11-28 02:00:00", "2026-11-28 04:00:00", windowHeartbeat
	w := window(nil)
	urgent := window(emergency)
	late := window(func(w *v1alpha1.ChangeWindow) { w.Spec.Schedule.Start = instant("02:30:12") })
	earlier := window(func(w *v1alpha1.ChangeWindow) {
		emergency(w)
		w.Name, w.UID, w.CreationTimestamp = "earlier", "earlier-1", metav1.NewTime(at("00:00:00").Add(-time.Hour))
	})
	for name, tc := range map[string]struct {
		window *v1alpha1.ChangeWindow
		more   []client.Object
		now    string
		want   windowStatus
		again  time.Duration
	}{
		"nobody has approved it": {w, nil, "02:30:00", windowStatus{"Pending", "0/1", opens, closes, "0 []", []string{
			"Ready False ApprovalsMissing: 0 of 1 approvals", "Approved False ApprovalsMissing: one approval is needed"}}, heart},
		"its requester approves it": {w, []client.Object{word(w, "bob", "Approve")}, "02:30:00", windowStatus{"Pending", "0/1", opens, closes, "0 []", []string{
			"Ready False ApprovalsMissing: 0 of 1 approvals (bob requested the window)", "Approved False ApprovalsMissing: one approval is needed"}}, heart},
		"it is open": {w, []client.Object{word(w, "alice", "Approve")}, "02:30:00", windowStatus{"Open", "1/1", opens, closes, "0 []", []string{
			"Ready True Open: until 2026-11-28 04:00:00 UTC", "Approved True Approved: approved by alice"}}, heart},
		"it closes in a moment": {w, []client.Object{word(w, "alice", "Approve")}, "03:59:59", windowStatus{"Open", "1/1", opens, closes, "0 []", []string{
			"Ready True Open: until 2026-11-28 04:00:00 UTC", "Approved True Approved: approved by alice"}}, 1010 * time.Millisecond},
		"it closes now": {w, []client.Object{word(w, "alice", "Approve")}, "04:00:00", windowStatus{"Closed", "1/1", opens, closes, "0 []", []string{
			"Ready False Closed: closed at 2026-11-28 04:00:00 UTC", "Approved True Approved: approved by alice"}}, heart},
		"it opens in a moment": {late, []client.Object{word(late, "alice", "Approve")}, "02:30:00", windowStatus{"Approved", "1/1", "2026-11-28 02:30:12", closes, "0 []", []string{
			"Ready False NotYetOpen: opens at 2026-11-28 02:30:12 UTC", "Approved True Approved: approved by alice"}}, 12*time.Second + 10*time.Millisecond},
		"somebody rejects it after all": {w, []client.Object{word(w, "alice", "Approve"), word(w, "dana", "Reject")}, "02:30:00", windowStatus{"Rejected", "1/1", opens, closes, "0 []", []string{
			"Ready False Rejected: rejected by dana", "Approved False Rejected: rejected by dana"}}, heart},
		"it is used up": {w, []client.Object{word(w, "alice", "Approve"), execution(w, "x-1", nil)}, "02:30:00", windowStatus{"Exhausted", "1/1", opens, closes, "1 [x-1]", []string{
			"Ready False Exhausted: used once, which is all that it allows", "Approved True Approved: approved by alice"}}, heart},
		"its execution was given back": {w, []client.Object{word(w, "alice", "Approve"), execution(w, "x-1", released)}, "02:30:00", windowStatus{"Open", "1/1", opens, closes, "0 []", []string{
			"Ready True Open: until 2026-11-28 04:00:00 UTC", "Approved True Approved: approved by alice"}}, heart},
		"the execution is another window's": {w, []client.Object{word(w, "alice", "Approve"), execution(earlier, "x-1", nil)}, "02:30:00", windowStatus{"Open", "1/1", opens, closes, "0 []", []string{
			"Ready True Open: until 2026-11-28 04:00:00 UTC", "Approved True Approved: approved by alice"}}, heart},
		"an emergency": {urgent, nil, "02:30:00", windowStatus{"Open", "0/0", opens, closes, "0 []", []string{
			"Ready True Open: until 2026-11-28 04:00:00 UTC", "Approved True Approved: 0 approvals are needed",
			"Reviewed False Unreviewed: somebody other than its requester approves or rejects it afterwards"}}, heartbeat},
		"an emergency that its requester looks at": {urgent, []client.Object{word(urgent, "bob", "Approve")}, "02:30:00", windowStatus{"Open", "0/0", opens, closes, "0 []", []string{
			"Ready True Open: until 2026-11-28 04:00:00 UTC", "Approved True Approved: 0 approvals are needed",
			"Reviewed False Unreviewed: somebody other than its requester approves or rejects it afterwards"}}, heartbeat},
		"an emergency that was looked at": {urgent, []client.Object{word(urgent, "alice", "Approve")}, "02:30:00", windowStatus{"Open", "1/0", opens, closes, "0 []", []string{
			"Ready True Open: until 2026-11-28 04:00:00 UTC", "Approved True Approved: approved by alice", "Reviewed True Reviewed: by alice"}}, heartbeat},
		"a second emergency": {urgent, []client.Object{earlier}, "02:30:00", windowStatus{"Open", "0/0", opens, "2026-11-28 03:00:00", "0 []", []string{
			"Ready True Open: until 2026-11-28 03:00:00 UTC", "Approved True Approved: 0 approvals are needed",
			"Reviewed False Unreviewed: somebody other than its requester approves or rejects it afterwards; it is the second that its requester has opened, and lasts half as long"}}, heartbeat},
		"it is for another cluster": {window(func(w *v1alpha1.ChangeWindow) { w.Spec.Scope.Clusters = []string{"prod-us-1"} }), nil, "02:30:00",
			windowStatus{"Pending", "0/1", opens, closes, "0 []", []string{
				`Ready False OtherCluster: it is for cluster "prod-us-1", and this is "prod-eu-1"`, "Approved False ApprovalsMissing: one approval is needed"}}, heart},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, production, append([]client.Object{tc.window.DeepCopy()}, tc.more...)...)
			s.now = at(tc.now)
			statuses := NewStatuses(s.memory, s.client, nil)
			for i, calls := range [][]string{{"patch status of ChangeWindow rebuild"}, nil} {
				again, err := statuses.window(t.Context(), client.ObjectKeyFromObject(tc.window))
				if err != nil || again != tc.again {
					t.Errorf("time %d: it is looked at again after %s, want %s: %v", i+1, again, tc.again, err)
				}
				if diff := cmp.Diff(tc.want, windowStatusOf(t, s, tc.window), cmp.AllowUnexported(windowStatus{})); diff != "" {
					t.Errorf("time %d (-want +got):\n%s", i+1, diff)
				}
				s.calls = slices.DeleteFunc(s.calls, func(c string) bool { return strings.HasPrefix(c, "patch status of ChangeApproval ") })
				s.wantCalls(calls...)
			}
		})
	}
}

// The controls of a stricter environment count, and the status shows it.
func TestStatusOfWindowsInAStricterEnvironment(t *testing.T) {
	w := window(nil)
	s := newStage(t, `
apiVersion: firebreak.dev/v1alpha1
kind: Environment
metadata: {name: production}
spec: {tier: Production, identities: {groups: [sre]}, changeControl: {requiredApprovals: 2, maxWindowDuration: 1h}}
`, w.DeepCopy(), word(w, "alice", "Approve"))
	if _, err := NewStatuses(s.memory, s.client, nil).window(t.Context(), client.ObjectKeyFromObject(w)); err != nil {
		t.Fatal(err)
	}
	want := windowStatus{"Invalid", "1/2", "2026-11-28 02:00:00", "2026-11-28 04:00:00", "0 []", []string{
		"Ready False Malformed: it lasts longer than the 1h that the environment allows", "Approved False ApprovalsMissing: approved by alice"}}
	if diff := cmp.Diff(want, windowStatusOf(t, s, w), cmp.AllowUnexported(windowStatus{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The status lists the ten latest executions, the newest first, and counts them all.
func TestStatusTellsTheLatestExecutions(t *testing.T) {
	w := window(func(w *v1alpha1.ChangeWindow) { w.Spec.MaxExecutions = new(int32); *w.Spec.MaxExecutions = 50 })
	s := newStage(t, production, w.DeepCopy())
	var want []string
	for i := range 12 {
		x := execution(w, fmt.Sprintf("x-%02d", i), func(x *v1alpha1.ChangeExecution) {
			x.CreationTimestamp = metav1.NewTime(at("02:00:00").Add(time.Duration(i/2) * time.Minute)) // two each minute
		})
		s.know(x)
		want = append(want, x.Name)
	}
	want = []string{want[10], want[11], want[8], want[9], want[6], want[7], want[4], want[5], want[2], want[3]}
	if _, err := NewStatuses(s.memory, s.client, nil).window(t.Context(), client.ObjectKeyFromObject(w)); err != nil {
		t.Fatal(err)
	}
	if got := windowStatusOf(t, s, w).executions; got != fmt.Sprint(12, want) {
		t.Errorf("it tells %s, want 12 %v", got, want)
	}
}

func TestStatusOfWindowsThatCannotBeRead(t *testing.T) {
	for call, want := range map[string]string{
		"get ChangeWindow rebuild":             "the API server is away",
		"list ChangeWindowList":                "list change windows: the API server is away",
		"list ChangeApprovalList":              "list approvals: the API server is away",
		"patch status of ChangeWindow rebuild": "status of *v1alpha1.ChangeWindow payments/rebuild: the API server is away",
	} {
		t.Run(call, func(t *testing.T) {
			s := newStage(t, production, window(nil))
			s.broken[call] = errBroken
			_, err := NewStatuses(s.memory, s.client, nil).window(t.Context(), client.ObjectKey{Namespace: "payments", Name: "rebuild"})
			if !errors.Is(err, errBroken) || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
			s.wantCalls()
		})
	}
	s := newStage(t, production)
	if again, err := NewStatuses(s.memory, s.client, nil).window(t.Context(), client.ObjectKey{Namespace: "payments", Name: "gone"}); err != nil || again != 0 {
		t.Errorf("one that is gone: again after %s: %v", again, err)
	}
}

// An approval causes its window to be looked at; an approval of another object causes none.
func TestWhatNamesAWindow(t *testing.T) {
	w := window(nil)
	about := word(w, "alice", "Approve")
	if diff := cmp.Diff([]reconcile.Request{windowRequest("payments", "rebuild")}, windowOf(t.Context(), about)); diff != "" {
		t.Errorf("an approval (-want +got):\n%s", diff)
	}
	about.Spec.Window, about.Spec.Freeze = nil, &v1alpha1.LocalReference{Name: "stop"}
	if got := windowOf(t.Context(), about); got != nil {
		t.Errorf("what is about a freeze names %v", got)
	}
	s := newStage(t, "", w, window(func(w *v1alpha1.ChangeWindow) { w.Name, w.Namespace = "other", "billing" }))
	statuses := NewStatuses(s.memory, s.client, nil)
	all, err := statuses.allWindows(t.Context())
	if diff := cmp.Diff([]reconcile.Request{windowRequest("billing", "other"), windowRequest("payments", "rebuild")}, all); diff != "" || err != nil {
		t.Errorf("all windows, %v (-want +got):\n%s", err, diff)
	}
	s.broken["list ChangeWindowList"] = errBroken
	if _, err := statuses.allWindows(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("where they cannot be listed: %v", err)
	}
}

// A window is not open while a freeze holds, and its status says when it opens; a freeze to come is told.
func TestStatusOfWindowsInAFreeze(t *testing.T) {
	for name, tc := range map[string]struct{ schedule, ready string }{
		"until it is lifted":   {"", `Frozen: carol froze production until somebody lifts it (freeze "stop": "year's end"); it does not open before it closes`},
		"for an hour":          {`schedule: {start: "2026-11-28T02:00:00Z", end: "2026-11-28T03:00:00Z"}, `, `Frozen: carol froze production until 2026-11-28 03:00:00 UTC (freeze "stop": "year's end"); it opens at 2026-11-28 03:00:00 UTC`},
		"in half an hour":      {`schedule: {start: "2026-11-28T03:00:00Z", end: "2026-11-28T03:30:00Z"}, `, `Open: until 2026-11-28 04:00:00 UTC; carol froze production until 2026-11-28 03:30:00 UTC (freeze "stop": "year's end"), from 2026-11-28 03:00:00 UTC`},
		"when it has closed":   {`schedule: {start: "2026-11-28T04:00:00Z"}, `, `Open: until 2026-11-28 04:00:00 UTC`},
		"in another namespace": {`namespaces: [edge], `, `Open: until 2026-11-28 04:00:00 UTC`},
	} {
		t.Run(name, func(t *testing.T) {
			w := window(nil)
			s := newStage(t, production+`{apiVersion: firebreak.dev/v1alpha1, kind: ChangeFreeze, metadata: {name: stop, generation: 1, creationTimestamp: "2026-11-28T01:00:00Z"},
  spec: {environments: [production], `+tc.schedule+`reason: "year's end", requestedBy: {username: carol}}}`, w.DeepCopy(), word(w, "alice", "Approve"))
			s.now = at("02:30:00")
			if _, err := NewStatuses(s.memory, s.client, nil).window(t.Context(), client.ObjectKeyFromObject(w)); err != nil {
				t.Fatal(err)
			}
			got := windowStatusOf(t, s, w)
			if frozen := strings.HasPrefix(tc.ready, "Frozen"); (got.phase == "Approved") != frozen || !strings.HasSuffix(got.conditions[0], tc.ready) {
				t.Errorf("%s, %s, want %s", got.phase, got.conditions[0], tc.ready)
			}
		})
	}
}

// Each approval says whether it counts, and why not. What is written once is not written again.
func TestStatusOfApprovals(t *testing.T) {
	w := window(nil)
	for name, tc := range map[string]struct {
		by, decision string
		revoked      []string
		want         string
	}{
		"it counts":             {"alice", "Approve", nil, "True Counts: "},
		"of the requester":      {"bob", "Approve", nil, "False DoesNotCount: bob requested the window"},
		"of who lost the right": {"alice", "Approve", []string{"alice"}, "False DoesNotCount: alice no longer holds the verb approve"},
		"a rejection":           {"alice", "Reject", nil, "True Rejects: it blocks the window"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, production, w.DeepCopy(), word(w, tc.by, v1alpha1.ApprovalDecision(tc.decision)))
			s.revoked = tc.revoked
			statuses := NewStatuses(s.memory, s.client, nil)
			for range 2 {
				s.calls = nil
				if _, err := statuses.window(t.Context(), client.ObjectKeyFromObject(w)); err != nil {
					t.Fatal(err)
				}
			}
			s.wantCalls()
			var all v1alpha1.ChangeApprovalList
			if err := s.client.List(t.Context(), &all); err != nil || len(all.Items) != 1 || len(all.Items[0].Status.Conditions) != 1 {
				t.Fatalf("%v %+v", err, all.Items)
			}
			c := all.Items[0].Status.Conditions[0]
			if got := fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message); c.Type != "Counts" || got != tc.want {
				t.Errorf("%s %s, want %s", c.Type, got, tc.want)
			}
		})
	}
}
