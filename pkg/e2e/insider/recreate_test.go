package insider

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// An approval is for one window and no other, even one of the same name.
func TestAWindowThatIsMadeAgainStartsUnapproved(t *testing.T) {
	c := as(t, sam)
	remade := func(name string, send func(w *v1alpha1.ChangeWindow) error) {
		t.Run(name, func(t *testing.T) {
			first := requested(t, sam, window(t, "again"))
			approval := approvedBy(t, robin, first)
			w := window(t, "again")
			w.Spec, w.UID = *first.Spec.DeepCopy(), first.UID // the very spec that was approved
			if err := send(w); err != nil {
				t.Fatal(err)
			}
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(w), w); err != nil {
				t.Fatal(err)
			}
			cannotRun(t, c, "again-run", unapproved(w, 0, 1, ""))
			copied := approval.DeepCopy()
			copied.ObjectMeta = metav1.ObjectMeta{Name: "again-copied", Namespace: w.Namespace}
			refused(t, c.Create(t.Context(), copied.DeepCopy()), noSuchWindow("again-copied", "payments", "again", string(first.UID)))
			copied.Spec.Window.UID = string(w.UID)
			refused(t, c.Create(t.Context(), copied), own("again-copied", "again"))
			cannotRun(t, c, "again-run", unapproved(w, 0, 1, ""))
			for _, o := range []client.Object{w, approval} {
				if err := c.Delete(t.Context(), o); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	remade("deleted and created", func(w *v1alpha1.ChangeWindow) error {
		if err := c.Delete(t.Context(), w.DeepCopy()); err != nil {
			return err
		}
		return c.Create(t.Context(), w)
	})
	remade("kubectl replace --force", func(w *v1alpha1.ChangeWindow) error {
		return replaced(t, c, w)
	})
}

// text returns an object as a manifest has it.
func text(t *testing.T, c client.Client, o client.Object) []byte {
	t.Helper()
	gvk, err := c.GroupVersionKindFor(o)
	if err != nil {
		t.Fatal(err)
	}
	o.GetObjectKind().SetGroupVersionKind(gvk)
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// replaced does what kubectl replace --force does: it deletes the object and creates it again.
func replaced(t *testing.T, c client.Client, o client.Object) error {
	t.Helper()
	file := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(file, text(t, c, o), 0o600); err != nil {
		t.Fatal(err)
	}
	return kubectl(t, "replace", "--force", "-f", file)
}

// applied applies an object on the server by force, as another manager than the one that wrote it.
func applied(t *testing.T, c client.Client, o client.Object) error {
	t.Helper()
	patch := client.RawPatch(types.ApplyPatchType, text(t, c, o))
	return c.Patch(t.Context(), o, patch, client.ForceOwnership, client.FieldOwner("insider"))
}

func stays(name, window string) string {
	return byWebhook(`changeapprovals.firebreak.dev "`+name+`"`, `spec.decision: Forbidden: a rejection cannot be taken back while change window "`+window+
		`" exists; delete the window and request another`)
}

// A person has rejected the window. RBAC lets the insider write approvals, but they cannot remove the rejection.
func TestARejectionStaysWhereItIs(t *testing.T) {
	w := requested(t, sam, window(t, "no"))
	approvedBy(t, robin, w)
	no := spoken(t, rene, w, v1alpha1.DecisionReject)
	gone := []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "gone", UID: "00000000-0000-0000-0000-000000000001"}}
	const (
		immutable = `ChangeApproval.firebreak.dev "no-rene" is invalid: spec: Forbidden: an approval is immutable; create another one`
		collector = "system:serviceaccount:kube-system:generic-garbage-collector"
	)
	c := as(t, sam)
	patch := func(kind types.PatchType, text string) func() error {
		return func() error { return c.Patch(t.Context(), no.DeepCopy(), client.RawPatch(kind, []byte(text))) }
	}
	remove := func(c client.Client, opts ...client.DeleteOption) func() error {
		return func() error { return c.Delete(t.Context(), no.DeepCopy(), opts...) }
	}
	for name, tc := range map[string]struct {
		reason string
		send   func() error
		want   string
	}{
		"deleted":                        {"the plain way", remove(c), stays("no-rene", "no")},
		"deleted after its dependents":   {"a policy of deletion changes nothing", remove(c, client.PropagationPolicy("Foreground"), client.GracePeriodSeconds(0)), stays("no-rene", "no")},
		"deleted without its dependents": {"a policy of deletion changes nothing", remove(c, client.PropagationPolicy("Orphan")), stays("no-rene", "no")},
		"deleted as the garbage collector": {
			"which may delete it", remove(impersonating(t, sam, rest.ImpersonationConfig{UserName: collector})),
			byWebhook(`changeapprovals.firebreak.dev "no-rene"`, `ask a member to do it, or have the identity listed in spec.identities (IdentityOutsideEnvironment: `+
				`service account "kube-system/generic-garbage-collector" is not a member of "production", to which namespace "payments" belongs); spec.decision: Forbidden: a rejection cannot be taken back while change window "no" exists; delete the window and request another`),
		},
		"deleted with all approvals": {"one review for each, without its name", func() error {
			return c.DeleteAllOf(t.Context(), no.DeepCopy(), client.InNamespace("payments"), client.MatchingFields{"metadata.name": no.Name})
		}, stays("no-rene", "no")},
		"replaced by an approval by kubectl --force": {"it deletes first", func() error {
			return replaced(t, c, word(w, no.Name, ""))
		}, stays("no-rene", "no")},
		"given to an owner that is gone": {"the garbage collector would delete it", func() error {
			o := no.DeepCopy()
			o.OwnerReferences = gone
			return c.Patch(t.Context(), o, client.MergeFrom(no))
		}, byPolicy(`changeapprovals.firebreak.dev "no-rene"`, "approval-owners",
			"metadata.ownerReferences may name the window that the approval is about and nothing else: the garbage collector would delete it with its owner")},
		"turned into an approval":   {"its spec is immutable", patch(types.MergePatchType, `{"spec":{"decision":"Approve"}}`), immutable},
		"turned to another window":  {"its spec is immutable", patch(types.JSONPatchType, `[{"op":"replace","path":"/spec/window/uid","value":"another"}]`), immutable},
		"outvoted by who requested": {"his own word counts nothing", func() error { return c.Create(t.Context(), word(w, "no-yes", "")) }, own("no-yes", "no")},
		"applied by another manager": {"force takes the ownership of fields, no more", func() error {
			return applied(t, c, word(w, no.Name, ""))
		}, immutable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			refused(t, tc.send(), tc.want)
			cannotRun(t, c, "no-run", notCovered("no", "it was rejected by rene"))
		})
	}
}

// Deleting the window is allowed, and closes it: a new request has neither the rejection nor the approval.
func TestAWindowThatWasRejectedIsRequestedAnew(t *testing.T) {
	c := as(t, sam)
	w := requested(t, sam, window(t, "anew"))
	approvedBy(t, robin, w)
	spoken(t, rene, w, v1alpha1.DecisionReject)
	if err := c.Delete(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	w = requested(t, sam, window(t, "anew"))
	cannotRun(t, c, "anew-run", unapproved(w, 0, 1, ""))
}

// A window that is being deleted is closed, even if a finalizer of the insider keeps it.
func TestAFinalizerKeepsNoWindowOpen(t *testing.T) {
	c := as(t, sam)
	w := requested(t, sam, window(t, "kept", func(w *v1alpha1.ChangeWindow) { w.Finalizers = []string{"example.com/keep"} }))
	t.Cleanup(func() {
		if err := c.Patch(afterwards(t), w, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))); err != nil {
			t.Error(err)
		}
	})
	approvedBy(t, robin, w)
	no := spoken(t, rene, w, v1alpha1.DecisionReject)
	if err := c.Delete(t.Context(), w.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	refused(t, c.Delete(t.Context(), no), stays("kept-rene", "kept"))
	cannotRun(t, c, "kept-run", notCovered("kept", "it is being deleted"))
}
