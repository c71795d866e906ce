package api

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// immutable is a kind whose spec never changes.
type immutable struct {
	user string
	// optional is a field that the manifest may leave out, and other is another value for it.
	optional string
	first    any
	other    any
	says     string
}

func immutables() map[string]immutable {
	return map[string]immutable{
		v1alpha1.KindChangeWindow: {
			sam, "spec.ticket", "CHG-1", "CHG-2",
			"a change window is immutable, so that an approval never covers words that changed; delete it and request a new one",
		},
		v1alpha1.KindChangeApproval: {robin, "spec.comment", "looks good", "looks bad", "an approval is immutable; create another one"},
		v1alpha1.KindChangeFreeze: {
			sam, "spec.namespaces", []string{"staging"}, []string{"elsewhere"}, "a freeze is immutable; lift it and create another one",
		},
		v1alpha1.KindExemption: {sam, "spec.ticket", "CHG-1", "CHG-2", "an exemption is immutable; delete it and create another one"},
		v1alpha1.KindChangeExecution: {
			firebreak, "spec.approvals", []string{"word"}, []string{"word", "other"}, "an execution is a record and immutable",
		},
		v1alpha1.KindChangeRecord: {firebreak, "spec.object.uid", "f-1", "f-2", "a record is immutable"},
	}
}

// manifestOf makes a manifest of a kind that the API server accepts. For an approval, it creates the window first.
func manifestOf(t *testing.T, kind string, all ...edits) *unstructured.Unstructured {
	t.Helper()
	if kind == v1alpha1.KindChangeApproval {
		all = append([]edits{about(t, create(t, sam, object(t, v1alpha1.KindChangeWindow)), "Approve")}, all...)
	}
	return object(t, kind, all...)
}

// about returns the edits that make an approval refer to a stored window.
func about(t *testing.T, window *unstructured.Unstructured, decision string) edits {
	t.Helper()
	w := fromUnstructured[v1alpha1.ChangeWindow](t, window)
	return edits{
		"metadata.namespace": w.Namespace,
		"spec.window":        map[string]any{"name": w.Name, "uid": w.UID},
		"spec.digest":        change.WindowDigest(&w.Spec),
		"spec.decision":      decision,
	}
}

func TestImmutableSpecs(t *testing.T) {
	for kind, k := range immutables() {
		t.Run(kind, func(t *testing.T) {
			o := create(t, k.user, manifestOf(t, kind, edits{k.optional: k.first}))
			for change, e := range map[string]edits{
				"a field that changes": {k.optional: k.other},
				"a field that goes":    {k.optional: nil},
			} {
				for name, w := range updates() {
					if name == "server-side apply" && e[k.optional] == nil {
						continue // an apply that does not name a field leaves it to its owner
					}
					t.Run(change+" by "+name, func(t *testing.T) {
						before := stored(t, o)
						err := w.write(t.Context(), as(t, k.user), before, edited(t, before, e))
						wantInvalid(t, err, "", kind, o.GetName(), forbidden("spec", k.says))
					})
				}
			}
		})
	}
}

// Labels, annotations and finalizers are free: GitOps tools mark what they own.
func TestImmutableKindsTakeMetadata(t *testing.T) {
	marks := edits{"metadata.labels": map[string]string{"team": "orders"}, "metadata.annotations": map[string]string{"a": "b"}}
	for kind, k := range immutables() {
		t.Run(kind, func(t *testing.T) {
			o := create(t, k.user, manifestOf(t, kind))
			for name, w := range updates() {
				t.Run(name, func(t *testing.T) {
					before := stored(t, o)
					if err := w.write(t.Context(), as(t, k.user), before, edited(t, before, marks)); err != nil {
						t.Errorf("labels and annotations are refused: %v", err)
					}
				})
			}
			t.Run("a Go client's update", func(t *testing.T) { updateTyped(t, k.user, o) })
		})
	}
}

// The Go type writes every instant in UTC, whatever zone the manifest has.
func TestInstantsOfAnotherZoneAreTheSame(t *testing.T) {
	zone := time.FixedZone("", 3600)
	updateTyped(t, sam, create(t, sam, object(t, v1alpha1.KindChangeWindow, edits{
		"spec.schedule.start": now.Add(time.Hour).In(zone).Format(time.RFC3339), "spec.schedule.end": now.Add(2 * time.Hour).In(zone).Format(time.RFC3339),
	})))
}

// updateTyped reads an object into the Go type and sends it back with a label: the type must write what is stored.
func updateTyped(t *testing.T, user string, o *unstructured.Unstructured) {
	c := as(t, user)
	typed, err := c.Scheme().New(o.GroupVersionKind())
	if err != nil {
		t.Fatal(err)
	}
	out := typed.(client.Object)
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), out); err != nil {
		t.Fatal(err)
	}
	out.SetLabels(map[string]string{"typed": "yes"})
	if err := again(t.Context(), c, out, func() error { return c.Update(t.Context(), out) }); err != nil {
		t.Errorf("an update that changes a label only is refused: %v", err)
	}
}

// GitOps tools apply the same manifest again and again, and several may own it.
func TestImmutableKindsTakeRepeatedApplies(t *testing.T) {
	for kind, k := range immutables() {
		t.Run(kind, func(t *testing.T) {
			manifest := manifestOf(t, kind, edits{k.optional: k.first})
			apply := func(user, manager string, e edits) error {
				return applyAs(t.Context(), as(t, user), edited(t, manifest, e), manager)
			}
			if err := apply(k.user, "kubectl", nil); err != nil {
				t.Fatalf("the first apply is refused: %v", err)
			}
			removeLater(t, manifest)
			first := stored(t, manifest)
			second := sam // another person, if RBAC and the policies let one write
			if kind == v1alpha1.KindChangeExecution || kind == v1alpha1.KindChangeRecord {
				second = firebreak
			}
			steps := []struct {
				what, user, manager string
				edits               edits
			}{
				{"the same again", k.user, "kubectl", nil},
				{"the same by a second manager", k.user, "argocd", nil},
				{"the same by a second manager again", k.user, "argocd", nil},
				{"less by a third manager", k.user, "flux", edits{k.optional: nil}},
				{"less by the second manager, while the first still owns it", k.user, "argocd", edits{k.optional: nil}},
				{"the same by another person", second, "helm", nil},
			}
			for _, s := range steps {
				if err := apply(s.user, s.manager, s.edits); err != nil {
					t.Errorf("%s is refused: %v", s.what, err)
				}
			}
			if got := stored(t, manifest); got.GetGeneration() != first.GetGeneration() || got.GetUID() != first.GetUID() {
				t.Errorf("generation %d became %d", first.GetGeneration(), got.GetGeneration())
			}
		})
	}
}

func TestImmutableKindsRefuseAnApplyThatTakesAFieldAway(t *testing.T) {
	for kind, k := range immutables() {
		t.Run(kind, func(t *testing.T) {
			manifest := manifestOf(t, kind, edits{k.optional: k.first})
			if err := applyAs(t.Context(), as(t, k.user), manifest.DeepCopy(), "kubectl"); err != nil {
				t.Fatalf("the first apply is refused: %v", err)
			}
			removeLater(t, manifest)
			err := applyAs(t.Context(), as(t, k.user), edited(t, manifest, edits{k.optional: nil}), "kubectl")
			wantInvalid(t, err, "", kind, manifest.GetName(), forbidden("spec", k.says))
		})
	}
}
