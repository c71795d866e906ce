package controller

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// saying returns an approval of a freeze or an execution, in Firebreak's own namespace.
func saying(by string, decision v1alpha1.ApprovalDecision, change func(*v1alpha1.ChangeApprovalSpec)) *v1alpha1.ChangeApproval {
	a := &v1alpha1.ChangeApproval{ObjectMeta: metav1.ObjectMeta{Name: string(decision) + "-" + by, Namespace: own}}
	a.Spec.Decision, a.Spec.Approver = decision, person(by)
	change(&a.Spec)
	return a
}

func aboutStop(s *v1alpha1.ChangeApprovalSpec) {
	s.Freeze = &v1alpha1.LocalReference{Name: "stop", UID: "stop-1"}
}

func aboutX(s *v1alpha1.ChangeApprovalSpec) {
	s.Execution = &v1alpha1.LocalReference{Name: "x-1", UID: "x-uid-1"}
}

func lift(by string) *v1alpha1.ChangeApproval { return saying(by, v1alpha1.DecisionLift, aboutStop) }

func release(by string) *v1alpha1.ChangeApproval { return saying(by, v1alpha1.DecisionRelease, aboutX) }

func stop(by v1alpha1.LiftedBy) *v1alpha1.ChangeFreeze {
	return &v1alpha1.ChangeFreeze{
		ObjectMeta: metav1.ObjectMeta{Name: "stop", UID: "stop-1"},
		Spec:       v1alpha1.ChangeFreezeSpec{Environments: []string{"production"}, Reason: "peak", LiftedBy: by, RequestedBy: person("dana")},
	}
}

func TestLifts(t *testing.T) {
	elsewhere, unsigned, leaver, reborn := lift("bob"), lift("bob"), lift("bob"), lift("bob")
	elsewhere.Namespace = "payments"
	unsigned.Spec.Approver = nil
	leaver.Spec.Approver.Groups = nil
	reborn.Spec.Freeze.UID = "stop-0"
	twice := lift("bob")
	twice.Name, twice.Spec.Approver = "again", person("alice")
	const lifted = "delete ChangeFreeze stop of UID stop-1"
	for name, tc := range map[string]struct {
		by     v1alpha1.LiftedBy
		words  []client.Object
		want   []string
		reason string
	}{
		"two lift it":                {v1alpha1.LiftedByTwoPersons, []client.Object{lift("alice"), lift("bob")}, []string{lifted}, ""},
		"one lifts it":               {v1alpha1.LiftedByTwoPersons, []client.Object{lift("alice")}, nil, "two persons are needed"},
		"nobody lifts it":            {v1alpha1.LiftedByTwoPersons, nil, nil, ""},
		"one lifts it twice":         {v1alpha1.LiftedByTwoPersons, []client.Object{lift("alice"), twice}, nil, "it is one person"},
		"the second has no stamp":    {v1alpha1.LiftedByTwoPersons, []client.Object{lift("alice"), unsigned}, nil, "nobody knows who"},
		"the second is no member":    {v1alpha1.LiftedByTwoPersons, []client.Object{lift("alice"), leaver}, nil, "membership is asked of today"},
		"the second is elsewhere":    {v1alpha1.LiftedByTwoPersons, []client.Object{lift("alice"), elsewhere}, nil, "others may write there"},
		"the second is of another":   {v1alpha1.LiftedByTwoPersons, []client.Object{lift("alice"), reborn}, nil, "the freeze was made anew"},
		"who froze it and another":   {v1alpha1.LiftedByTwoPersons, []client.Object{lift("alice"), lift("dana")}, []string{lifted}, "who stops may go on, with a second person"},
		"anyone may delete it":       {v1alpha1.LiftedByAnyone, []client.Object{lift("alice"), lift("bob")}, nil, "it is deleted by whoever lifts it"},
		"a third and fourth lift it": {v1alpha1.LiftedByTwoPersons, []client.Object{lift("alice"), lift("bob"), lift("dana"), formerMember()}, []string{lifted}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, production, append([]client.Object{stop(tc.by)}, tc.words...)...)
			actions := NewApprovalActions(s.memory, s.client, s.log())
			for range 2 { // the second time it is gone, or unchanged
				if got, err := actions.Reconcile(t.Context(), approvalAction{freeze: "stop"}); err != nil || got != (reconcile.Result{}) {
					t.Errorf("%+v: %v", got, err)
				}
			}
			s.wantCalls(tc.want...)
			if t.Failed() {
				t.Log(tc.reason)
			}
			if tc.want != nil {
				s.wantLogged(`"msg"="lifted a freeze" "freeze"="stop" "by"=["alice" `)
			}
		})
	}
}

func formerMember() *v1alpha1.ChangeApproval {
	a := lift("bob")
	a.Name, a.Spec.Approver.Groups = "a-leaver", nil
	return a
}

func TestReleases(t *testing.T) {
	elsewhere, stranger, other := release("alice"), release("alice"), release("alice")
	elsewhere.Namespace = "payments"
	stranger.Spec.Approver.Groups = nil
	other.Spec.Execution.UID = "x-uid-0"
	used := func(change func(*v1alpha1.ChangeExecution)) *v1alpha1.ChangeExecution {
		return execution(window(nil), "x-1", func(x *v1alpha1.ChangeExecution) {
			x.UID, x.Status.State, x.Status.Result = "x-uid-1", v1alpha1.ExecutionUsed, "admitted"
			if change != nil {
				change(x)
			}
		})
	}
	back := lines(`finishedAt: "2026-11-28T02:30:00Z"`, `releasedBy: "alice"`, `result: "given back"`, `state: "Released"`)
	kept := lines(`result: "admitted"`, `state: "Used"`)
	for name, tc := range map[string]struct {
		x     *v1alpha1.ChangeExecution
		words []client.Object
		want  string
	}{
		"an approver releases it":                {used(nil), []client.Object{release("alice")}, back},
		"who used it releases it":                {used(nil), []client.Object{release("bob")}, kept},
		"who requested the window releases it":   {used(func(x *v1alpha1.ChangeExecution) { x.Spec.Window.RequestedBy = person("alice") }), []client.Object{release("alice")}, kept},
		"two release it":                         {used(nil), []client.Object{release("bob"), release("alice")}, back},
		"somebody of no environment releases it": {used(nil), []client.Object{stranger}, kept},
		"the word lies elsewhere":                {used(nil), []client.Object{elsewhere}, kept},
		"the word is about an earlier one":       {used(nil), []client.Object{other}, kept},
		"its namespace is not production's":      {used(func(x *v1alpha1.ChangeExecution) { x.Spec.Object.Namespace = "sandbox" }), []client.Object{release("alice")}, kept},
		"its object lies in no namespace":        {used(func(x *v1alpha1.ChangeExecution) { x.Spec.Object.Namespace = "" }), []client.Object{release("alice")}, back},
		"it was given back before": {used(func(x *v1alpha1.ChangeExecution) {
			x.Status = v1alpha1.ChangeExecutionStatus{State: v1alpha1.ExecutionReleased, ReleasedBy: "dana", FinishedAt: instant("01:00:00")}
		}), []client.Object{release("alice")}, lines(`finishedAt: "2026-11-28T01:00:00Z"`, `releasedBy: "dana"`, `state: "Released"`)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, production, append([]client.Object{tc.x}, tc.words...)...)
			actions := NewApprovalActions(s.memory, s.client, s.log())
			for range 2 {
				if _, err := actions.Reconcile(t.Context(), approvalAction{execution: "x-1"}); err != nil {
					t.Error(err)
				}
				s.now = at("02:45:00") // the second time must not write another instant
			}
			if diff := cmp.Diff(tc.want, s.status(v1alpha1.KindChangeExecution, own, "x-1")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if tc.want == back {
				s.wantCalls("patch status of ChangeExecution x-1")
				s.wantLogged(`"msg"="gave an execution back" "execution"="x-1" "by"="alice"`)
			} else {
				s.wantCalls()
			}
		})
	}
}

func TestActionsThatFail(t *testing.T) {
	freeze, x := approvalAction{freeze: "stop"}, approvalAction{execution: "x-1"}
	for call, tc := range map[string]struct {
		what approvalAction
		want string
	}{
		"list ChangeApprovalList":                {freeze, "list approvals: the API server is away"},
		"get ChangeFreeze stop":                  {freeze, "the API server is away"},
		"delete ChangeFreeze stop of UID stop-1": {freeze, `lift freeze "stop": the API server is away`},
		"get ChangeExecution x-1":                {x, "the API server is away"},
		"ask SubjectAccessReview":                {x, "ask whether alice may still approve: review the access: the API server is away"},
		"patch status of ChangeExecution x-1":    {x, `give execution "x-1" back: the API server is away`},
	} {
		t.Run(call, func(t *testing.T) {
			s := newStage(t, production, stop(v1alpha1.LiftedByTwoPersons), lift("alice"), lift("bob"), release("alice"),
				execution(window(nil), "x-1", func(x *v1alpha1.ChangeExecution) { x.UID = "x-uid-1" }))
			actions := NewApprovalActions(s.memory, s.client, s.log())
			s.broken[call] = errBroken
			if _, err := actions.Reconcile(t.Context(), tc.what); !errors.Is(err, errBroken) || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			s.wantCalls()
			if len(s.logged) > 0 {
				t.Errorf("it says %s", s.logged)
			}
			s.broken = nil
			if _, err := actions.Reconcile(t.Context(), tc.what); err != nil || len(s.calls) != 1 {
				t.Errorf("tried again: %s, %v", s.calls, err)
			}
		})
	}
}

// For an object that is gone nothing is done, and before the estate is known nobody is a member.
func TestActionsWithoutSubject(t *testing.T) {
	s := newStage(t, production, stop(v1alpha1.LiftedByTwoPersons), lift("alice"), lift("bob"))
	actions := NewApprovalActions(s.memory, s.client, s.log())
	for _, what := range []approvalAction{{freeze: "gone"}, {execution: "gone"}} {
		if _, err := actions.Reconcile(t.Context(), what); err != nil {
			t.Errorf("%+v: %v", what, err)
		}
	}
	s.memory.est.Store(nil)
	s.broken["list ChangeApprovalList"] = errBroken
	if _, err := actions.Reconcile(t.Context(), approvalAction{freeze: "stop"}); err != nil {
		t.Error(err)
	}
	s.wantCalls()
}

// An approval names its action. An approval in another namespace, or of a window, requests none.
func TestWhatApprovalsAskFor(t *testing.T) {
	elsewhere := lift("alice")
	elsewhere.Namespace = "payments"
	about := word(window(func(w *v1alpha1.ChangeWindow) { w.Namespace = own }), "alice", "Approve")
	actions := NewApprovalActions(newStage(t, "").memory, nil, newStage(t, "").log())
	for name, tc := range map[string]struct {
		a    *v1alpha1.ChangeApproval
		want []approvalAction
	}{
		"a lift":           {lift("alice"), []approvalAction{{freeze: "stop"}}},
		"a release":        {release("alice"), []approvalAction{{execution: "x-1"}}},
		"another's":        {elsewhere, nil},
		"one for a window": {about, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := actions.asked(t.Context(), tc.a); !cmp.Equal(got, tc.want, cmp.AllowUnexported(approvalAction{})) {
				t.Errorf("it asks for %+v, want %+v", got, tc.want)
			}
		})
	}
}

// The leading replica performs the actions that approvals requested before it led, and again once an approver has become a
// member.
func TestLeaderDoesWhatApprovalsAskFor(t *testing.T) {
	s := newStage(t, production, stop(v1alpha1.LiftedByTwoPersons), lift("alice"), lift("bob"), release("alice"),
		execution(window(nil), "x-1", func(x *v1alpha1.ChangeExecution) { x.UID, x.Spec.Object.Namespace = "x-uid-1", "billing" }))
	mgr, _ := s.manage()
	if err := NewApprovalActions(s.memory, s.client, s.log()).SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	s.run(mgr)
	eventually(t, "the freeze is lifted", func() bool { return s.has("delete ChangeFreeze stop of UID stop-1") == 1 })
	if n := s.has("patch status of ChangeExecution x-1"); n > 0 {
		t.Error("an execution of a namespace that is not production's is given back")
	}
	s.know(s.read(`
apiVersion: firebreak.dev/v1alpha1
kind: Environment
metadata: {name: billing}
spec: {tier: Production, namespaces: {names: [billing]}, identities: {groups: [sre]}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: billing}}
`)...)
	s.memory.compile()
	eventually(t, "the execution is given back", func() bool { return s.has("patch status of ChangeExecution x-1") == 1 })
}

// The word of somebody who has lost the right to approve is not heeded.
func TestActionsOfThoseWhoLostTheRight(t *testing.T) {
	s := newStage(t, production, release("alice"), execution(window(nil), "x-1", func(x *v1alpha1.ChangeExecution) { x.UID = "x-uid-1" }))
	s.revoked = []string{"alice"}
	if _, err := NewApprovalActions(s.memory, s.client, s.log()).Reconcile(t.Context(), approvalAction{execution: "x-1"}); err != nil {
		t.Fatal(err)
	}
	s.wantCalls()
}
