package change_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

type words []v1alpha1.ChangeApproval

// approvalCase describes approvals of a window and which of them count. window, controls and executor may be nil.
type approvalCase struct {
	reason      string
	window      func(*v1alpha1.ChangeWindow)
	controls    func(*estate.Controls)
	executor    *change.Party
	words       func(*v1alpha1.ChangeWindow) words
	delegations []v1alpha1.ChangeDelegation
	want        change.Approvals
	enough      bool
}

func edited(a v1alpha1.ChangeApproval, f func(*v1alpha1.ChangeApproval)) v1alpha1.ChangeApproval {
	f(&a)
	return a
}

func runApprovalCases(t *testing.T, cases map[string]approvalCase) {
	t.Helper()
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			w, c := window(), estate.ControlsOf(nil)
			if test.window != nil {
				test.window(w)
			}
			if test.controls != nil {
				test.controls(&c)
			}
			if test.want.Required == 0 {
				test.want.Required = 1
			}
			got := change.CountApprovals(w, &change.State{Approvals: test.words(w), Delegations: test.delegations}, c, test.executor, unfit, at("02:30:00"))
			if len(got.NotCounted) > len(got.Ignored) {
				t.Errorf("%d do not count, and %d are ignored", len(got.NotCounted), len(got.Ignored))
			}
			got.NotCounted = nil
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			if got.Enough() != test.enough {
				t.Errorf("%s: approved: %t, want %t", test.reason, got.Enough(), test.enough)
			}
		})
	}
}

func ignored(why ...string) change.Approvals { return change.Approvals{Ignored: why} }

func counted(by ...*v1alpha1.Stamp) change.Approvals {
	var out change.Approvals
	for _, s := range by {
		out.Names, out.By = append(out.Names, "rebuild-"+s.UID), append(out.By, s.Username)
	}
	return out
}

func TestApprovalsThatDoNotCount(t *testing.T) {
	one := func(by *v1alpha1.Stamp, f func(*v1alpha1.ChangeApproval)) func(*v1alpha1.ChangeWindow) words {
		return func(w *v1alpha1.ChangeWindow) words {
			a := approval(w, by)
			if f != nil {
				f(&a)
			}
			return words{a}
		}
	}
	given := func(t time.Time) func(*v1alpha1.ChangeApproval) {
		return func(a *v1alpha1.ChangeApproval) { a.CreationTimestamp = metav1.NewTime(t) }
	}
	approvers := func(a v1alpha1.Approvers) func(*estate.Controls) {
		return func(c *estate.Controls) { c.Approvers = a }
	}
	runApprovalCases(t, map[string]approvalCase{
		"one of another person": {
			reason: "the base of all cases below counts", words: one(alice(), nil),
			want: counted(alice()), enough: true,
		},
		"being deleted": {
			reason: "a word that is taken back counts no more, also while a finalizer keeps it",
			words:  one(alice(), func(a *v1alpha1.ChangeApproval) { a.DeletionTimestamp = instant("02:29:00") }),
			want:   ignored(`approval "rebuild-alice-1" is being deleted`),
		},
		"no stamp": {
			reason: "nobody knows whose word it is", words: one(nil, nil),
			want: ignored(`approval "rebuild-unstamped" carries no stamp`),
		},
		"a stamp without a name": {
			reason: "that is no stamp", words: one(&v1alpha1.Stamp{UID: "alice-1"}, nil),
			want: ignored(`approval "rebuild-alice-1" carries no stamp`),
		},
		"other words": {
			reason: "what the approver saw is not what stands there",
			words: one(alice(), func(a *v1alpha1.ChangeApproval) {
				a.Spec.Digest = "v1:sha256:" + strings.Repeat("0", 64)
			}),
			want: ignored("the approval of oidc:sre-alice is for other words than the window's"),
		},
		"no digest": {
			reason: "an approval says which words it approves",
			words:  one(alice(), func(a *v1alpha1.ChangeApproval) { a.Spec.Digest = "" }),
			want:   ignored("the approval of oidc:sre-alice is for other words than the window's"),
		},
		"the digest without its version": {
			reason: "digests of different algorithms are different",
			words:  one(alice(), func(a *v1alpha1.ChangeApproval) { a.Spec.Digest = strings.TrimPrefix(a.Spec.Digest, "v1:") }),
			want:   ignored("the approval of oidc:sre-alice is for other words than the window's"),
		},
		"a window of the same name": {
			reason: "a deleted and re-created window starts unapproved: the word is about another",
			words:  one(alice(), func(a *v1alpha1.ChangeApproval) { a.Spec.Window.UID = "rebuild-0" }),
		},
		"from another namespace": {
			reason: "the right to approve was asked for there",
			words:  one(alice(), func(a *v1alpha1.ChangeApproval) { a.Namespace = "dev" }),
		},
		"about something else": {
			reason: "a word about a freeze is none about the window",
			words:  one(alice(), func(a *v1alpha1.ChangeApproval) { a.Spec.Window = nil }),
		},
		"neither approval nor rejection": {
			reason: "the schema refuses Lift for a window; should one be stored all the same, it approves nothing",
			words:  one(alice(), func(a *v1alpha1.ChangeApproval) { a.Spec.Decision = v1alpha1.DecisionLift }),
			want:   ignored(`approval "rebuild-alice-1" says "Lift", which approves nothing`),
		},
		"a service account": {
			reason: "windows are approved by persons", words: one(releaser(), nil),
			want: ignored("system:serviceaccount:ci:releaser is not a person"),
		},
		"listed automation": {
			reason: "a user that is no person is none here either", words: one(&v1alpha1.Stamp{Username: "jenkins"}, nil),
			want: ignored("jenkins is not a person"),
		},
		"one of a person who has left the environment": {
			reason: "membership is asked when the window is used, not only when the word was given",
			words:  one(&v1alpha1.Stamp{Username: "oidc:sre-mallory", UID: "mallory-1"}, nil),
			want:   ignored(`oidc:sre-mallory is not a member of environment "production"`),
		},
		"the requester": {
			reason: "an approver differs from the requester", words: one(bob(), nil),
			want: ignored("oidc:sre-bob requested the window"),
		},
		"the requester under a new name": {
			reason: "the UID is the person", words: one(&v1alpha1.Stamp{Username: "oidc:sre-robert", UID: "bob-1"}, nil),
			want: ignored("oidc:sre-robert requested the window"),
		},
		"the requester with a new UID": {
			reason: "and so is the name", words: one(&v1alpha1.Stamp{Username: "oidc:sre-bob", UID: "bob-2"}, nil),
			want: ignored("oidc:sre-bob requested the window"),
		},
		"of a window that nobody requested": {
			reason: "nobody can tell that they differ", window: func(w *v1alpha1.ChangeWindow) { w.Spec.RequestedBy = nil },
			words: one(alice(), nil),
			want:  ignored("oidc:sre-alice requested the window"),
		},
		"whoever executes": {
			reason: "whoever executes differs from every approver that counts", executor: ptr(party(alice())), words: one(alice(), nil),
			want: ignored("oidc:sre-alice would also execute it"),
		},
		"whoever executes, under a new name": {
			reason:   "by UID as well",
			executor: &change.Party{Username: "oidc:sre-alicia", UID: "alice-1"}, words: one(alice(), nil),
			want: ignored("oidc:sre-alice would also execute it"),
		},
		"another executor": {
			reason: "that is the point", executor: ptr(party(bob())), words: one(alice(), nil),
			want: counted(alice()), enough: true,
		},
		"not among the approvers": {
			reason: "the environment limits whose word counts", controls: approvers(v1alpha1.Approvers{Groups: []v1alpha1.Glob{"dba"}}),
			words: one(alice(), nil),
			want:  ignored("oidc:sre-alice is not among the environment's approvers"),
		},
		"among neither the users nor the groups": {
			reason: "two lists are a limit, too", words: one(alice(), nil),
			controls: approvers(v1alpha1.Approvers{Users: []v1alpha1.Glob{"x509:*"}, Groups: []v1alpha1.Glob{"dba"}}),
			want:     ignored("oidc:sre-alice is not among the environment's approvers"),
		},
		"among the approvers of one environment only": {
			reason: "of two environments that limit them, each limit holds", words: one(alice(), nil),
			controls: func(c *estate.Controls) {
				c.Approvers = v1alpha1.Approvers{Users: []v1alpha1.Glob{"oidc:*"}}
				c.AlsoApprovers = []v1alpha1.Approvers{{Groups: []v1alpha1.Glob{"dba"}}}
			},
			want: ignored("oidc:sre-alice is not among the environment's approvers"),
		},
		"among the approvers by user": {
			reason: "one authenticator's names", controls: approvers(v1alpha1.Approvers{Users: []v1alpha1.Glob{"oidc:*"}}),
			words: one(alice(), nil),
			want:  counted(alice()), enough: true,
		},
		"of another authenticator": {
			reason: "a person with two accounts is two users to Kubernetes", controls: approvers(v1alpha1.Approvers{Users: []v1alpha1.Glob{"oidc:*"}}),
			words: one(&v1alpha1.Stamp{Username: "alice", UID: "x509"}, nil),
			want:  ignored("alice is not among the environment's approvers"),
		},
		"among the approvers by group": {
			reason: "the groups of the stamp: those of that moment", controls: approvers(v1alpha1.Approvers{Groups: []v1alpha1.Glob{"sre"}}),
			words: one(alice(), nil),
			want:  counted(alice()), enough: true,
		},
		"exactly a week ahead": {
			reason: "168 hours are still valid", words: one(alice(), given(at("02:00:00").AddDate(0, 0, -7))),
			want: counted(alice()), enough: true,
		},
		"a week and a second ahead": {
			reason: "an approval grows stale", words: one(alice(), given(at("01:59:59").AddDate(0, 0, -7))),
			want: ignored("the approval of oidc:sre-alice was given too long before"),
		},
		"as the environment shortens it": {
			reason: "approvalValidity is the environment's", controls: func(c *estate.Controls) { c.ApprovalValidity = time.Hour },
			words: one(alice(), nil),
			want:  ignored("the approval of oidc:sre-alice was given too long before"),
		},
		"after the opening": {
			reason: "late, but fresh", words: one(alice(), given(at("02:10:00"))),
			want: counted(alice()), enough: true,
		},
	})
}

func TestHowManyMustApprove(t *testing.T) {
	need := func(n int32) func(*estate.Controls) { return func(c *estate.Controls) { c.RequiredApprovals = n } }
	by := func(all ...*v1alpha1.Stamp) func(*v1alpha1.ChangeWindow) words {
		return func(w *v1alpha1.ChangeWindow) words {
			var out words
			for _, s := range all {
				out = append(out, approval(w, s))
			}
			return out
		}
	}
	of := func(n int, a change.Approvals) change.Approvals { a.Required = n; return a }
	machine := func(w *v1alpha1.ChangeWindow) { w.Spec.RequestedBy = releaser() }
	dave := &v1alpha1.Stamp{Username: "oidc:dba-dave", UID: "dave-1"}
	runApprovalCases(t, map[string]approvalCase{
		"none of one":    {reason: "nobody spoke", words: by()},
		"one of one":     {reason: "the default", words: by(alice()), want: counted(alice()), enough: true},
		"two of one":     {reason: "more is no harm", words: by(alice(), carol()), want: counted(alice(), carol()), enough: true},
		"one of two":     {reason: "one is missing", controls: need(2), words: by(alice()), want: of(2, counted(alice()))},
		"two of two":     {reason: "both are there", controls: need(2), words: by(alice(), carol()), want: of(2, counted(alice(), carol())), enough: true},
		"three of three": {reason: "all are there", controls: need(3), words: by(alice(), carol(), dave), want: of(3, counted(alice(), carol(), dave)), enough: true},
		"one person twice": {
			reason: "one person is one person", controls: need(2),
			words: func(w *v1alpha1.ChangeWindow) words {
				again := edited(approval(w, alice()), func(a *v1alpha1.ChangeApproval) { a.Name = "rebuild-alice-again" })
				return words{approval(w, alice()), again}
			},
			want: change.Approvals{Required: 2, Names: []string{"rebuild-alice-1"}, By: []string{"oidc:sre-alice"},
				Ignored: []string{"oidc:sre-alice approved more than once"}},
		},
		"one person under two names": {
			reason: "the same UID is the same person", controls: need(2),
			words: by(alice(), &v1alpha1.Stamp{Username: "oidc:alice.m", UID: "alice-1"}),
			want: change.Approvals{Required: 2, Names: []string{"rebuild-alice-1"}, By: []string{"oidc:sre-alice"},
				Ignored: []string{"oidc:alice.m approved more than once"}},
		},
		"two persons without UIDs": {
			reason: "authenticators that give none give names", controls: need(2),
			words: func(w *v1alpha1.ChangeWindow) words {
				one := edited(approval(w, &v1alpha1.Stamp{Username: "ann"}), func(a *v1alpha1.ChangeApproval) { a.Name = "one" })
				two := edited(approval(w, &v1alpha1.Stamp{Username: "ben"}), func(a *v1alpha1.ChangeApproval) { a.Name = "two" })
				return words{two, one}
			},
			want: change.Approvals{Required: 2, Names: []string{"one", "two"}, By: []string{"ann", "ben"}}, enough: true,
		},
		"the requester and another": {
			reason: "only the other counts", controls: need(2), words: by(bob(), alice()),
			want: change.Approvals{Required: 2, Names: []string{"rebuild-alice-1"}, By: []string{"oidc:sre-alice"},
				Ignored: []string{"oidc:sre-bob requested the window"}},
		},
		"two, one of whom executes": {
			reason: "the executor's word does not count, so one is missing", controls: need(2), executor: ptr(party(carol())),
			words: by(alice(), carol()),
			want: change.Approvals{Required: 2, Names: []string{"rebuild-alice-1"}, By: []string{"oidc:sre-alice"},
				Ignored: []string{"oidc:dba-carol would also execute it"}},
		},
		"one for a machine's request": {
			reason: "two different persons must approve what a machine requested", window: machine, words: by(alice()),
			want: of(2, counted(alice())),
		},
		"two for a machine's request": {
			reason: "two are", window: machine, words: by(alice(), carol()),
			want: of(2, counted(alice(), carol())), enough: true,
		},
		"three for a machine's request, where three are required": {
			reason: "the greater of the two", window: machine, controls: need(3), words: by(alice(), carol()),
			want: of(3, counted(alice(), carol())),
		},
	})
	t.Run("none of none", func(t *testing.T) {
		c := estate.ControlsOf(&v1alpha1.ChangeControl{RequiredApprovals: ptr(int32(0))})
		w := window()
		if a := change.CountApprovals(w, &change.State{}, c, nil, unfit, at("02:30:00")); a.Required != 0 || !a.Enough() {
			t.Errorf("0 is legal: required %d, approved: %t", a.Required, a.Enough())
		}
		machine(w)
		if a := change.CountApprovals(w, &change.State{}, c, nil, unfit, at("02:30:00")); a.Required != 2 || a.Enough() {
			t.Errorf("a machine's request needs two all the same: required %d, approved: %t", a.Required, a.Enough())
		}
	})
}

func TestRejections(t *testing.T) {
	runApprovalCases(t, map[string]approvalCase{
		"one, beside an approval": {
			reason: "one Reject blocks, and is how a window is revoked",
			words: func(w *v1alpha1.ChangeWindow) words {
				return words{approval(w, alice()), rejection(w, carol(), "wrong night")}
			},
			want: change.Approvals{Names: []string{"rebuild-alice-1"}, By: []string{"oidc:sre-alice"},
				RejectedBy: "oidc:dba-carol", RejectComment: "wrong night"},
		},
		"being deleted": {
			reason: "a block holds until it is gone",
			words: func(w *v1alpha1.ChangeWindow) words {
				return words{edited(rejection(w, carol(), ""), func(a *v1alpha1.ChangeApproval) { a.DeletionTimestamp = instant("02:29:00") })}
			},
			want: change.Approvals{RejectedBy: "oidc:dba-carol"},
		},
		"by the requester": {
			reason: "who requested may take it back",
			words:  func(w *v1alpha1.ChangeWindow) words { return words{rejection(w, bob(), "")} },
			want:   change.Approvals{RejectedBy: "oidc:sre-bob"},
		},
		"by a machine": {
			reason: "a machine may close what it may not open",
			words:  func(w *v1alpha1.ChangeWindow) words { return words{rejection(w, releaser(), "")} },
			want:   change.Approvals{RejectedBy: "system:serviceaccount:ci:releaser"},
		},
		"without a stamp": {
			reason: "a block without a name is a block",
			words:  func(w *v1alpha1.ChangeWindow) words { return words{rejection(w, nil, "no")} },
			want:   change.Approvals{RejectedBy: "somebody", RejectComment: "no"},
		},
		"two": {
			reason: "the first is named",
			words: func(w *v1alpha1.ChangeWindow) words {
				late := edited(rejection(w, alice(), "second"), func(a *v1alpha1.ChangeApproval) {
					a.CreationTimestamp = metav1.NewTime(a.CreationTimestamp.Add(time.Hour))
				})
				return words{late, rejection(w, carol(), "first")}
			},
			want: change.Approvals{RejectedBy: "oidc:dba-carol", RejectComment: "first"},
		},
		"of a window of the same name": {
			reason: "a new window is a new question",
			words: func(w *v1alpha1.ChangeWindow) words {
				return words{approval(w, alice()), edited(rejection(w, carol(), ""), func(a *v1alpha1.ChangeApproval) { a.Spec.Window.UID = "rebuild-0" })}
			},
			want: counted(alice()), enough: true,
		},
		"from another namespace": {
			reason: "the right to reject was asked for there",
			words: func(w *v1alpha1.ChangeWindow) words {
				return words{approval(w, alice()), edited(rejection(w, carol(), ""), func(a *v1alpha1.ChangeApproval) { a.Namespace = "dev" })}
			},
			want: counted(alice()), enough: true,
		},
	})
	t.Run("the window says who and why", func(t *testing.T) {
		w := window()
		s := &change.State{Approvals: []v1alpha1.ChangeApproval{approval(w, alice()), rejection(w, carol(), "wrong night")}}
		if v := change.Judge(w, question(), s); v.Stage != change.Rejected || v.Why != `it was rejected by oidc:dba-carol ("wrong night")` {
			t.Errorf("got stage %d: %s", v.Stage, v.Why)
		}
	})
}
