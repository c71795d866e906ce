package change_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

func TestLiftedBy(t *testing.T) {
	f := &v1alpha1.ChangeFreeze{
		ObjectMeta: metav1.ObjectMeta{Name: "christmas", UID: "christmas-1"},
		Spec:       v1alpha1.ChangeFreezeSpec{Environments: []string{"production"}, LiftedBy: v1alpha1.LiftedByTwoPersons},
	}
	lift := func(by *v1alpha1.Stamp, uid string) v1alpha1.ChangeApproval {
		return v1alpha1.ChangeApproval{Spec: v1alpha1.ChangeApprovalSpec{Decision: v1alpha1.DecisionLift, Freeze: &v1alpha1.LocalReference{Name: "christmas", UID: uid}, Approver: by}}
	}
	mallory := &v1alpha1.Stamp{Username: "oidc:sre-mallory", UID: "mallory-1"}
	renamed := bob()
	renamed.Username = "oidc:sre-robert"
	for name, test := range map[string]struct {
		reason string
		words  words
		want   string
	}{
		"nobody":                  {"it holds", nil, ""},
		"one person":              {"it takes two", words{lift(bob(), "christmas-1")}, ""},
		"two persons":             {"it takes two", words{lift(bob(), "christmas-1"), lift(alice(), "christmas-1")}, "oidc:sre-bob oidc:sre-alice"},
		"one person twice":        {"that is one", words{lift(bob(), "christmas-1"), lift(bob(), "christmas-1")}, ""},
		"one under two names":     {"the UID is the person", words{lift(bob(), "christmas-1"), lift(renamed, "christmas-1")}, ""},
		"a machine":               {"words are persons'", words{lift(bob(), "christmas-1"), lift(releaser(), "christmas-1")}, ""},
		"somebody who has left":   {"membership is asked now", words{lift(bob(), "christmas-1"), lift(mallory, "christmas-1")}, ""},
		"about an earlier freeze": {"a deleted and re-created one starts anew", words{lift(bob(), "christmas-0"), lift(alice(), "christmas-1")}, ""},
		"without a stamp":         {"nobody said it", words{lift(nil, "christmas-1"), lift(alice(), "christmas-1")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(change.LiftedBy(f, &change.State{Approvals: test.words}, unfit), " "); got != test.want {
				t.Errorf("%s: %q, want %q", test.reason, got, test.want)
			}
		})
	}
	if f.Spec.LiftedBy = v1alpha1.LiftedByAnyone; change.LiftedBy(f, &change.State{Approvals: words{lift(bob(), "christmas-1"), lift(alice(), "christmas-1")}}, unfit) != nil {
		t.Error("a freeze that anyone lifts is lifted by deleting it")
	}
}

func TestReleasedBy(t *testing.T) {
	w := window()
	x := execution(w, "0", "job-1", v1alpha1.ExecutionUsed)
	x.Name, x.UID, x.Spec.Requester = "x", "x-1", *bob()
	release := func(by *v1alpha1.Stamp) words {
		return words{{Spec: v1alpha1.ChangeApprovalSpec{Decision: v1alpha1.DecisionRelease, Execution: &v1alpha1.LocalReference{Name: "x", UID: "x-1"}, Approver: by}}}
	}
	for name, test := range map[string]struct {
		by   *v1alpha1.Stamp
		want string
	}{"somebody else": {alice(), "oidc:sre-alice"}, "who used it": {bob(), ""}, "a machine": {releaser(), ""}, "nobody": {nil, ""}} {
		if got := change.ReleasedBy(&x, []string{"production"}, &change.State{Approvals: release(test.by)}, unfit); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	if change.ReleasedBy(&x, nil, &change.State{Approvals: release(alice())}, unfit) != "" {
		t.Error("an execution in no environment is nobody's to give back")
	}
}
