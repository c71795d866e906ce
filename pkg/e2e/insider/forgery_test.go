package insider

import (
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// Stamps are overwritten: a forged stamp changes neither the requester nor the approver.
func TestForgedStampsChangeNothing(t *testing.T) {
	c := as(t, sam)
	forged := v1alpha1.Stamp{Username: robin, UID: "u-robin", Groups: []string{"sre", "approvers"}}
	w := requested(t, sam, window(t, "forged", func(w *v1alpha1.ChangeWindow) {
		w.Spec.RequestedBy, w.Spec.Subjects = forged.DeepCopy(), v1alpha1.Subjects{Users: []v1alpha1.Glob{sam}}
	}))
	if got := w.Spec.RequestedBy.Username; got != sam {
		t.Errorf("the window says that %s requested it", got)
	}
	for name, edit := range map[string]func(*v1alpha1.ChangeApproval){
		"as it is": func(*v1alpha1.ChangeApproval) {},
		"owned by the window, with labels and a finalizer": func(a *v1alpha1.ChangeApproval) {
			a.OwnerReferences = []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.KindChangeWindow, Name: w.Name, UID: w.UID}}
			a.Labels, a.Finalizers = map[string]string{v1alpha1.LabelWindowUID: string(w.UID)}, []string{"example.com/keep"}
		},
	} {
		for _, opts := range [][]client.CreateOption{nil, {client.DryRunAll}} {
			t.Run(name, func(t *testing.T) {
				a := word(w, "forged", "")
				a.Spec.Approver = forged.DeepCopy()
				edit(a)
				refused(t, c.Create(t.Context(), a.DeepCopy(), opts...), own("forged", "forged"))
				a.Name, a.GenerateName = "", "forged-"
				err := c.Create(t.Context(), a, opts...)
				refused(t, err, own(generated(t, err, "forged-"), "forged"))
				cannotRun(t, c, "forged-run", unapproved(w, 0, 1, ""))
			})
		}
	}
}

// generated reads from a refusal the name that the API server generated for an object.
func generated(t *testing.T, err error, prefix string) string {
	t.Helper()
	if err == nil {
		return prefix
	}
	_, rest, ok := strings.Cut(err.Error(), `"`+prefix)
	if !ok {
		return prefix
	}
	suffix, _, _ := strings.Cut(rest, `"`)
	return prefix + suffix
}

// An approval is for one window and its spec, wherever it lies. robin, who means well, gets it to send.
func TestAWordAboutAnotherWindowDoesNotCount(t *testing.T) {
	c := as(t, sam)
	w := requested(t, sam, window(t, "count"))
	digest := change.WindowDigest(&w.Spec)
	other := "v1:sha256:" + strings.Repeat("0", 64)
	moved := func(namespace string) string { return noSuchWindow("count", namespace, "count", string(w.UID)) }
	invalid := func(says string) string {
		return `admission webhook "core.firebreak.dev" denied the request: ChangeApproval.firebreak.dev "count" is invalid: ` + says
	}
	for name, tc := range map[string]struct {
		reason string
		edit   func(*v1alpha1.ChangeApproval)
		want   string
	}{
		"for other words": {"what was read is not what is there", func(a *v1alpha1.ChangeApproval) { a.Spec.Digest = other },
			invalid(`spec.digest: Invalid value: "` + other + `": change window "count" has digest ` + digest + `; look at it again before you approve it`)},
		"for another UID":    {"a window that was made again", func(a *v1alpha1.ChangeApproval) { a.Spec.Window.UID = "another" }, noSuchWindow("count", "payments", "count", "another")},
		"for another name":   {"RBAC may let one approve some names only", func(a *v1alpha1.ChangeApproval) { a.Spec.Window.Name = "another" }, noSuchWindow("count", "payments", "another", string(w.UID))},
		"in development":     {"where approving is free", func(a *v1alpha1.ChangeApproval) { a.Namespace = "dev" }, moved("dev")},
		"in production too":  {"it lies beside no such window", func(a *v1alpha1.ChangeApproval) { a.Namespace = "ledger" }, moved("ledger")},
		"where Firebreak is": {"it lies beside no such window", func(a *v1alpha1.ChangeApproval) { a.Namespace = stage.Namespace }, moved(stage.Namespace)},
		"that lifts": {"a word of another sort", func(a *v1alpha1.ChangeApproval) { a.Spec.Decision = v1alpha1.DecisionLift },
			`ChangeApproval.firebreak.dev "count" is invalid: [spec.decision: Invalid value: Approve and Reject are for windows, spec.decision: Invalid value: Lift is for freezes]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			a := word(w, "count", "")
			tc.edit(a)
			refused(t, as(t, robin).Create(t.Context(), a), tc.want)
			cannotRun(t, c, "count-run", unapproved(w, 0, 1, ""))
		})
	}
	t.Run("a dry run", func(t *testing.T) {
		if err := as(t, robin).Create(t.Context(), word(w, "count", ""), client.DryRunAll); err != nil {
			t.Fatal(err)
		}
		cannotRun(t, c, "count-run", unapproved(w, 0, 1, ""))
	})
}

// The approver does not execute: not in person, nor by a CronJob. As a machine that the window names, the approver can, if they may
// ask for its token: admission sees the user that asks for a token, and not the user that shows it.
func TestTheApproverDoesNotExecute(t *testing.T) {
	c := as(t, robin)
	w := requested(t, sam, window(t, "both", func(w *v1alpha1.ChangeWindow) {
		w.Spec.Subjects = v1alpha1.Subjects{Groups: []v1alpha1.Glob{"sre"}, ServiceAccounts: []v1alpha1.ServiceAccountGlob{"payments/release-bot"}}
	}))
	approvedBy(t, robin, w)
	cannotRun(t, c, "both-run", unapproved(w, 0, 1, "robin would also execute it"))
	t.Run("by a CronJob", func(t *testing.T) {
		cron := &batchv1.CronJob{
			ObjectMeta: metav1.ObjectMeta{Name: "both", Namespace: fixture.Production},
			Spec:       batchv1.CronJobSpec{Schedule: "* * * * *", JobTemplate: batchv1.JobTemplateSpec{Spec: fixture.Job("").Spec}},
		}
		refused(t, c.Create(t.Context(), cron), byWebhook(`cronjobs.batch "both"`, request("payments")+
			` (ChangeWindowRequired: this is maintenance in "production": it runs psql and names data store "orders")`))
	})
}
