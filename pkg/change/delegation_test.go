package change_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// delegation is that of a person to another, made before the approvals of these tests.
func delegation(from *v1alpha1.Stamp, to string, until time.Time) v1alpha1.ChangeDelegation {
	return v1alpha1.ChangeDelegation{
		ObjectMeta: metav1.ObjectMeta{Name: "away", UID: "away-1", Namespace: window().Namespace, CreationTimestamp: metav1.NewTime(at("11:00:00").AddDate(0, 0, -1))},
		Spec:       v1alpha1.ChangeDelegationSpec{Delegator: from, To: to, Until: metav1.NewTime(until)},
	}
}

func changed(d v1alpha1.ChangeDelegation, f func(*v1alpha1.ChangeDelegation)) []v1alpha1.ChangeDelegation {
	f(&d)
	return []v1alpha1.ChangeDelegation{d}
}

// stead makes an approval one in the stead of whoever made the delegation.
func stead(a *v1alpha1.ChangeApproval) {
	a.Spec.OnBehalfOf = &v1alpha1.LocalReference{Name: "away", UID: "away-1"}
}

func TestApprovalsInTheSteadOfAnother(t *testing.T) {
	later := at("18:00:00")
	carols := func(w *v1alpha1.ChangeWindow) words { return words{edited(approval(w, carol()), stead)} }
	one := func(from *v1alpha1.Stamp, to string, until time.Time) []v1alpha1.ChangeDelegation {
		return []v1alpha1.ChangeDelegation{delegation(from, to, until)}
	}
	for1 := func(who ...string) change.Approvals {
		return change.Approvals{Names: []string{"rebuild-carol-1"}, By: who}
	}
	runApprovalCases(t, map[string]approvalCase{
		"delegated": {reason: "alice is away", words: carols, delegations: one(alice(), "oidc:dba-carol", later), want: for1("oidc:dba-carol for oidc:sre-alice"), enough: true},
		"over since": {
			reason: "what was approved before the end of the delegation still counts", words: carols, delegations: one(alice(), "oidc:dba-carol", at("12:00:01").AddDate(0, 0, -1)),
			want: for1("oidc:dba-carol for oidc:sre-alice"), enough: true,
		},
		"over before": {
			reason: "it was for a time", words: carols, delegations: one(alice(), "oidc:dba-carol", at("12:00:00").AddDate(0, 0, -1)),
			want: ignored(`delegation "away" ended at ` + change.Instant(at("12:00:00").AddDate(0, 0, -1))),
		},
		"to somebody else": {
			reason: "a delegation is to one person", words: carols, delegations: one(alice(), "oidc:sre-bob", later),
			want: ignored(`delegation "away" is to oidc:sre-bob, not to oidc:dba-carol`),
		},
		"withdrawn": {
			reason: "it is gone", words: carols,
			want: ignored(`delegation "away" is not there: it was withdrawn, or made again`),
		},
		"being withdrawn": {
			reason: "a finalizer keeps nothing alive", words: carols, delegations: changed(delegation(alice(), "oidc:dba-carol", later), func(d *v1alpha1.ChangeDelegation) { d.DeletionTimestamp = instant("02:29:00") }),
			want: ignored(`delegation "away" is not there: it was withdrawn, or made again`),
		},
		"made afterwards": {
			reason: "nothing is delegated for what was said before",
			words:  carols, delegations: changed(delegation(alice(), "oidc:dba-carol", later), func(d *v1alpha1.ChangeDelegation) { d.CreationTimestamp = metav1.NewTime(at("02:00:00")) }),
			want: ignored(`delegation "away" is younger than the approval`),
		},
		"another of its name": {
			reason: "it may say something else", words: carols, delegations: changed(delegation(alice(), "oidc:dba-carol", later), func(d *v1alpha1.ChangeDelegation) { d.UID = "away-2" }),
			want: ignored(`delegation "away" is not there: it was withdrawn, or made again`),
		},
		"of another namespace": {
			reason: "the right was held there", words: carols, delegations: changed(delegation(alice(), "oidc:dba-carol", later), func(d *v1alpha1.ChangeDelegation) { d.Namespace = "checkout" }),
			want: ignored(`delegation "away" is not there: it was withdrawn, or made again`),
		},
		"by the requester": {
			reason: "nobody approves what they requested through a friend", words: carols, delegations: one(bob(), "oidc:dba-carol", later),
			want: ignored("oidc:sre-bob requested the window"),
		},
		"by the executor": {
			reason: "nor what they execute", words: carols, delegations: one(alice(), "oidc:dba-carol", later), executor: &change.Party{Username: "oidc:sre-alice"},
			want: ignored("oidc:dba-carol for oidc:sre-alice would also execute it"),
		},
		"by who is not a member": {
			reason: "they could not approve either", words: carols, delegations: one(&v1alpha1.Stamp{Username: "oidc:sre-mallory", UID: "m"}, "oidc:dba-carol", later),
			want: ignored(`oidc:sre-mallory is not a member of environment "production"`),
		},
		"both": {
			reason: "four eyes are those of two persons", controls: func(c *estate.Controls) { c.RequiredApprovals = 2 },
			words: func(w *v1alpha1.ChangeWindow) words {
				return words{approval(w, alice()), edited(approval(w, carol()), stead)}
			},
			delegations: one(alice(), "oidc:dba-carol", later),
			want:        change.Approvals{Names: []string{"rebuild-alice-1"}, By: []string{"oidc:sre-alice"}, Required: 2, Ignored: []string{"oidc:dba-carol for oidc:sre-alice approved more than once"}},
		},
		"for their groups": {
			reason:   "who approves in the stead of an SRE counts as one, not as what they are themselves",
			controls: func(c *estate.Controls) { c.RequiredFrom = []v1alpha1.GroupQuorum{{Group: "sre"}, {Group: "dba"}} },
			words:    carols, delegations: one(alice(), "oidc:dba-carol", later),
			want: change.Approvals{Names: []string{"rebuild-carol-1"}, By: []string{"oidc:dba-carol for oidc:sre-alice"}, Lacks: []string{`1 of group "dba"`}},
		},
		"among the approvers": {
			reason: "the environment names who may approve, and that is who delegates", controls: func(c *estate.Controls) { c.Approvers = v1alpha1.Approvers{Groups: []v1alpha1.Glob{"dba"}} },
			words: carols, delegations: one(alice(), "oidc:dba-carol", later),
			want: ignored("oidc:sre-alice is not among the environment's approvers"),
		},
	})
}

func TestAnApprovalWithoutARight(t *testing.T) {
	w := window()
	a := approval(w, alice())
	a.UID = "a-1"
	s := &change.State{Approvals: words{a}, Unauthorised: map[types.UID]string{"a-1": "oidc:sre-alice no longer holds the verb approve"}}
	got := change.CountApprovals(w, s, estate.ControlsOf(nil), nil, unfit, at("02:30:00"))
	if got.Enough() || len(got.Ignored) != 1 || got.Ignored[0] != "oidc:sre-alice no longer holds the verb approve" {
		t.Errorf("%+v, want no approval of somebody who has lost the right", got)
	}
}

// Nobody rejects, lifts or releases in another's stead, whatever let such a word be stored.
func TestNothingElseIsDoneInTheSteadOfAnother(t *testing.T) {
	w := window()
	no := rejection(w, carol(), "")
	stead(&no)
	s := &change.State{Approvals: words{no, approval(w, alice())}, Delegations: []v1alpha1.ChangeDelegation{delegation(alice(), "oidc:dba-carol", at("18:00:00"))}}
	if got := change.CountApprovals(w, s, estate.ControlsOf(nil), nil, unfit, at("02:30:00")); got.RejectedBy != "" || !got.Enough() {
		t.Errorf("%+v, want no veto in another's stead", got)
	}
	f := &v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: "stop", UID: "stop-1"}, Spec: v1alpha1.ChangeFreezeSpec{LiftedBy: v1alpha1.LiftedByTwoPersons, Environments: []string{"production"}}}
	lifts := func(by *v1alpha1.Stamp, edit func(*v1alpha1.ChangeApproval)) v1alpha1.ChangeApproval {
		a := v1alpha1.ChangeApproval{ObjectMeta: metav1.ObjectMeta{Name: by.UID}, Spec: v1alpha1.ChangeApprovalSpec{Decision: v1alpha1.DecisionLift, Freeze: &v1alpha1.LocalReference{Name: "stop", UID: "stop-1"}, Approver: by}}
		if edit != nil {
			edit(&a)
		}
		return a
	}
	if by := change.LiftedBy(f, &change.State{Approvals: words{lifts(alice(), nil), lifts(carol(), stead)}}, unfit); by != nil {
		t.Errorf("lifted by %v", by)
	}
	if by := change.LiftedBy(f, &change.State{Approvals: words{lifts(alice(), nil), lifts(carol(), nil)}}, unfit); len(by) != 2 {
		t.Errorf("lifted by %v, want both", by)
	}
	long := delegation(alice(), "oidc:dba-carol", at("18:00:00").AddDate(0, 2, 0))
	a := edited(approval(w, carol()), stead)
	if _, why := change.Delegated(&a, []v1alpha1.ChangeDelegation{long}); why != `delegation "away" lasts longer than 31 days` {
		t.Error(why)
	}
}
