package api

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// sound returns a valid object of each kind; tests spoil or complete it with edits. The window deletes, so it needs no plan.
func sound(kind string) string {
	return map[string]string{
		v1alpha1.KindEnvironment: `
metadata: {name: sandbox}
spec: {tier: NonProduction}`,
		v1alpha1.KindDataStore: `
metadata: {name: cache}
spec: {environment: staging, hosts: [cache.staging.example.com]}`,
		v1alpha1.KindChangeWindow: `
metadata: {name: rebuild, namespace: payments}
spec:
  environment: production
  reason: Rebuild the orders index
  schedule: {start: "` + in(time.Hour) + `", end: "` + in(2*time.Hour) + `"}
  scope: {operations: [Delete], resources: [{group: batch, kind: Job, names: [reindex]}]}`,
		v1alpha1.KindChangeApproval: `
metadata: {name: word, namespace: payments}
spec: {window: {name: rebuild, uid: 2c9a2b0e}, decision: Reject}`,
		v1alpha1.KindChangeFreeze: `
metadata: {name: christmas}
spec: {environments: [staging], reason: Christmas trading}`,
		v1alpha1.KindExemption: `
metadata: {name: migration}
spec:
  rules: [DataStoreAcrossTiers]
  subjects: {users: [sam]}
  objects: {group: apps, kind: Deployment, namespaces: [staging], names: [importer]}
  reason: The importer reads production until it has moved
  expiresAt: "` + in(24*time.Hour) + `"`,
		v1alpha1.KindChangeExecution: `
metadata: {name: 2c9a2b0e-0-0, namespace: ` + stage.Namespace + `}
spec:
  window: {namespace: payments, name: rebuild, uid: 2c9a2b0e, digest: "v1:sha256:00"}
  slot: "0"
  key: 7d3f
  requester: {username: sam}
  operation: Delete
  object: {group: batch, version: v1, kind: Job, namespace: payments, name: reindex}`,
		v1alpha1.KindChangeRecord: `
metadata: {name: r-2c9a2b0e, namespace: ` + stage.Namespace + `}
spec:
  act: Deleted
  requester: {username: sam}
  object: {group: firebreak.dev, version: v1alpha1, kind: ChangeFreeze, name: christmas}
  message: lifted the freeze of staging`,
	}[kind]
}

// edits change a manifest: each gives a path, such as spec.scope.resources.0.kind, and the value to put there. A nil value removes
// the field.
type edits map[string]any

// object makes a valid object of a kind, and edits it.
func object(t *testing.T, kind string, all ...edits) *unstructured.Unstructured {
	t.Helper()
	o := fromYAML(t, sound(kind))
	o["apiVersion"], o["kind"] = v1alpha1.GroupVersion().String(), kind
	for _, e := range all {
		e.in(o)
	}
	return toUnstructured(t, o)
}

// in applies the edits, those of a field before those of its parts.
func (e edits) in(o map[string]any) {
	for _, path := range slices.Sorted(maps.Keys(e)) {
		put(o, pathOf(path), e[path])
	}
}

func fromYAML(t *testing.T, text string) map[string]any {
	t.Helper()
	o := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("read %s: %v", text, err)
	}
	return o
}

func pathOf(path string) []string { return strings.Split(path, ".") }

// put returns node with value at path.
func put(node any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	switch n := node.(type) {
	case []any:
		i, err := strconv.Atoi(path[0])
		if err != nil || i >= len(n) {
			panic("no element " + path[0])
		}
		n[i] = put(n[i], path[1:], value)
		return n
	case map[string]any:
		if len(path) == 1 && value == nil {
			delete(n, path[0])
			return n
		}
		n[path[0]] = put(n[path[0]], path[1:], value)
		return n
	}
	return put(map[string]any{}, path, value)
}

// toUnstructured goes through JSON, so that edits may hold any Go value.
func toUnstructured(t *testing.T, o any) *unstructured.Unstructured {
	t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(raw); err != nil {
		t.Fatalf("decode %s: %v", raw, err)
	}
	return u
}

// fromUnstructured reads a stored object into a Go type.
func fromUnstructured[T any](t *testing.T, u *unstructured.Unstructured) *T {
	t.Helper()
	raw, err := u.MarshalJSON()
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	out := new(T)
	if err := json.Unmarshal(raw, out); err != nil {
		t.Fatalf("decode %s: %v", raw, err)
	}
	return out
}

// in returns an instant after the tests began, as manifests write it.
func in(d time.Duration) string { return now.Add(d).Format(time.RFC3339) }

// create stores an object for the length of a test.
func create(t *testing.T, user string, o *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	if err := as(t, user).Create(t.Context(), o); err != nil {
		t.Fatalf("create %s %q as %s: %v", o.GetKind(), o.GetName(), user, err)
	}
	removeLater(t, o)
	return o
}

// removeLater deletes an object when the test is over, and a window before an approval of it.
func removeLater(t *testing.T, o *unstructured.Unstructured) {
	user := sam
	if k := o.GetKind(); k == v1alpha1.KindChangeExecution || k == v1alpha1.KindChangeRecord {
		user = firebreak
	}
	c := as(t, user)
	all := []*unstructured.Unstructured{o.DeepCopy()}
	if name, _, _ := unstructured.NestedString(o.Object, "spec", "window", "name"); o.GetKind() == v1alpha1.KindChangeApproval {
		window := &unstructured.Unstructured{}
		window.SetGroupVersionKind(v1alpha1.GVK(v1alpha1.KindChangeWindow))
		window.SetNamespace(o.GetNamespace())
		window.SetName(name)
		all = []*unstructured.Unstructured{window, all[0]}
	}
	t.Cleanup(func() {
		for _, o := range all {
			if err := client.IgnoreNotFound(c.Delete(context.Background(), o, client.PropagationPolicy(metav1.DeletePropagationBackground))); err != nil {
				t.Errorf("delete %s %q: %v", o.GetKind(), o.GetName(), err)
			}
		}
	})
}

// stored reads the present state of an object.
func stored(t *testing.T, o *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	out := &unstructured.Unstructured{}
	out.SetGroupVersionKind(o.GroupVersionKind())
	if err := as(t, admin).Get(t.Context(), client.ObjectKeyFromObject(o), out); err != nil {
		t.Fatalf("read %s %q: %v", o.GetKind(), o.GetName(), err)
	}
	return out
}

// uidOf reads the UID of a service account.
func uidOf(t *testing.T, namespace, name string) string {
	t.Helper()
	var account corev1.ServiceAccount
	if err := as(t, admin).Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &account); err != nil {
		t.Fatalf("read service account %s/%s: %v", namespace, name, err)
	}
	return string(account.UID)
}
