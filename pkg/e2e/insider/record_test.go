package insider

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// used returns a window that sam was granted and has used, and its record.
func used(t *testing.T, name string) (*v1alpha1.ChangeWindow, *v1alpha1.ChangeExecution) {
	t.Helper()
	w := requested(t, sam, window(t, name))
	approvedBy(t, robin, w)
	if err := as(t, sam).Create(t.Context(), fixture.Job(name+"-run")); err != nil {
		t.Fatal(err)
	}
	return w, executionOf(t, w)
}

// executionOf returns the only execution of a window, once its run is known to have existed.
func executionOf(t *testing.T, w *v1alpha1.ChangeWindow) *v1alpha1.ChangeExecution {
	t.Helper()
	p := fixture.Everybody(t, cluster)
	var all []v1alpha1.ChangeExecution
	await.True(t, "the execution is settled", func() bool {
		var err error
		if all, err = p.Executions(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		return len(all) == 1 && all[0].Status.State == v1alpha1.ExecutionUsed
	})
	return &all[0]
}

// An approved window stays as it was approved.
func TestAnApprovedWindowIsNotEdited(t *testing.T) {
	c := as(t, sam)
	w, x := used(t, "edited")
	for name, tc := range map[string]struct{ reason, patch string }{
		"more executions":   {"one more run", `{"spec":{"maxExecutions":9}}`},
		"no plan":           {"another run", `{"spec":{"plan":null}}`},
		"another requester": {"he could approve then", `{"spec":{"requestedBy":{"username":"robin"}}}`},
		"a longer schedule": {"a later run", `{"spec":{"schedule":{"end":"2099-01-01T00:00:00Z"}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			refused(t, merge(t, w.DeepCopy(), tc.patch),
				`ChangeWindow.firebreak.dev "edited" is invalid: spec: Forbidden: a change window is immutable, so that an approval never covers words that changed; delete it and request a new one`)
			runsNoMore(t, c, "edited-again", "edited")
		})
	}
	t.Run("another run under the UID of the first", func(t *testing.T) {
		job := fixture.Job("edited-again")
		job.UID = x.Spec.Object.UID // a repeated request is the same execution, and the API server sets the UID
		usedUp(t, c.Create(t.Context(), job), "edited-again", "edited")
	})
}

// Only Firebreak writes the records, whatever RBAC says. A forged record would open nothing, or give a run back.
func TestTheRecordsAreNotHisToWrite(t *testing.T) {
	c := as(t, sam)
	masked := impersonating(t, sam, rest.ImpersonationConfig{UserName: "system:serviceaccount:firebreak-system:firebreak"})
	w, x := used(t, "record")
	approval := word(w, "record-robin", "")
	status := func(c client.Client, o client.Object, text string) func() error {
		return func() error {
			return c.Status().Patch(t.Context(), o, client.RawPatch("application/merge-patch+json", []byte(text)))
		}
	}
	object := fmt.Sprintf("changeexecutions.firebreak.dev %q", x.Name)
	statuses := func(object string) string {
		return byPolicy(object, "status", "only Firebreak writes the status of its kinds")
	}
	records := func(object string) string {
		return byPolicy(object, "executions", "ChangeExecutions and ChangeRecords are the record of what was done in production; only Firebreak writes and deletes them")
	}
	another := x.DeepCopy()
	another.ObjectMeta = metav1.ObjectMeta{Name: string(w.UID) + "-0-9", Namespace: stage.Namespace, Labels: x.Labels}
	const released = `{"status":{"state":"Released"}}`
	for name, tc := range map[string]struct {
		reason string
		send   func() error
		want   string
	}{
		"the window's status":                 {"nobody reads it to decide", status(c, w.DeepCopy(), `{"status":{"phase":"Open","approvals":"1/1"}}`), statuses(`changewindows.firebreak.dev "record"`)},
		"the approval's status":               {"nobody reads it to decide", status(c, approval, `{"status":{"conditions":[]}}`), statuses(`changeapprovals.firebreak.dev "record-robin"`)},
		"the execution's status":              {"it gives the run back", status(c, x.DeepCopy(), released), statuses(object)},
		"the execution's status as Firebreak": {"whose account sam may impersonate", status(masked, x.DeepCopy(), released), statuses(object)},
		"the execution":                       {"it frees the slot", func() error { return c.Delete(t.Context(), x.DeepCopy()) }, records(object)},
		"the execution as Firebreak":          {"whose account sam may impersonate", func() error { return masked.Delete(t.Context(), x.DeepCopy()) }, records(object)},
		"all executions": {"one review for each, without its name", func() error {
			return c.DeleteAllOf(t.Context(), x.DeepCopy(), client.InNamespace(stage.Namespace))
		}, records(`changeexecutions.firebreak.dev "Unknown"`)},
		"a forged execution":    {"it would use up what is another's", func() error { return c.Create(t.Context(), another) }, records(fmt.Sprintf("changeexecutions.firebreak.dev %q", another.Name))},
		"the execution's label": {"it is found by it", func() error { return merge(t, x.DeepCopy(), `{"metadata":{"labels":null}}`) }, records(object)},
		"the execution's owner": {"the garbage collector would delete it", func() error {
			return merge(t, x.DeepCopy(), `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"gone","uid":"1"}]}}`)
		}, records(object)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			refused(t, tc.send(), tc.want)
			runsNoMore(t, c, "record-again", "record")
		})
	}
}

// releases creates a user's Release of an execution.
func releases(t *testing.T, by string, x *v1alpha1.ChangeExecution) {
	t.Helper()
	a := &v1alpha1.ChangeApproval{ObjectMeta: metav1.ObjectMeta{GenerateName: "release-", Namespace: stage.Namespace}, Spec: v1alpha1.ChangeApprovalSpec{
		Execution: &v1alpha1.LocalReference{Name: x.Name, UID: string(x.UID)}, Decision: v1alpha1.DecisionRelease,
	}}
	if err := as(t, by).Create(t.Context(), a); err != nil {
		t.Fatalf("release by %s: %v", by, err)
	}
}

// heeded waits until Firebreak has acted on a valid Release, and so has seen those that were created before.
func heeded(t *testing.T, x *v1alpha1.ChangeExecution) {
	t.Helper()
	releases(t, robin, x)
	await.True(t, "the run is given back", func() bool {
		var now v1alpha1.ChangeExecution
		if err := as(t, admin).Get(t.Context(), client.ObjectKeyFromObject(x), &now); err != nil {
			t.Fatal(err)
		}
		return now.Status.State == v1alpha1.ExecutionReleased
	})
}

// The user of a window cannot give themselves another run. Their Release is stored, and has no effect.
func TestNobodyGivesHisOwnRunBack(t *testing.T) {
	_, own := used(t, "back")
	_, other := used(t, "witness")
	releases(t, sam, own)
	heeded(t, other)
	runsNoMore(t, as(t, sam), "back-again", "back")
}

// Nor can the requester of the window, if a machine of theirs has used it.
func TestTheRequesterGivesNoRunBack(t *testing.T) {
	w := requested(t, sam, window(t, "loop", func(w *v1alpha1.ChangeWindow) {
		w.Spec.Subjects = v1alpha1.Subjects{ServiceAccounts: []v1alpha1.ServiceAccountGlob{"payments/release-bot"}}
	}))
	approvedBy(t, robin, w)
	c := minted(t, sam, "payments", "release-bot")
	if err := c.Create(t.Context(), fixture.Job("loop-run")); err != nil {
		t.Fatal(err)
	}
	releases(t, sam, executionOf(t, w))
	_, other := used(t, "loop-witness")
	heeded(t, other)
	runsNoMore(t, c, "loop-again", "loop", "--for-service-account payments/release-bot")
}
