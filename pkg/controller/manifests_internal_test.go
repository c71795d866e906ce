package controller

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// tree decodes one object.
func tree(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}

const hooked = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: firebreak, uid: v-1, resourceVersion: "7", annotations: {a: b}}
status: {conditions: []}
webhooks:
- {name: core.firebreak.dev, failurePolicy: Ignore, clientConfig: {caBundle: Y2E=, service: {name: other}}}
- {name: gone.firebreak.dev, clientConfig: {caBundle: Z29uZQ==}}
`

// The body is the part of a registration that decides what it does, without its identity and certificate. The object itself
// is not changed.
func TestBody(t *testing.T) {
	o := tree(t, hooked)
	before := o.DeepCopy()
	want := map[string]any{"webhooks": []any{
		map[string]any{"name": "core.firebreak.dev", "failurePolicy": "Ignore", "clientConfig": map[string]any{"service": map[string]any{"name": "other"}}},
		map[string]any{"name": "gone.firebreak.dev", "clientConfig": map[string]any{}},
	}}
	if diff := cmp.Diff(want, body(o)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(before, o); diff != "" {
		t.Errorf("the object was changed (-before +after):\n%s", diff)
	}
	policy := tree(t, "{kind: ValidatingAdmissionPolicy, metadata: {name: firebreak-a}, spec: {failurePolicy: Fail}, status: {observedGeneration: 1}}")
	if diff := cmp.Diff(map[string]any{"spec": map[string]any{"failurePolicy": "Fail"}}, body(policy)); diff != "" {
		t.Errorf("a policy (-want +got):\n%s", diff)
	}
}

// A body replaces the object's own as a whole, and each webhook that it had keeps its certificate; a new webhook has none
// yet.
func TestFill(t *testing.T) {
	o := tree(t, hooked)
	fill(o, body(tree(t, `
webhooks:
- {name: new.firebreak.dev, clientConfig: {caBundle: bmV3}}
- {name: core.firebreak.dev, failurePolicy: Fail, clientConfig: {service: {name: firebreak}}}
`)))
	want := tree(t, `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: firebreak, uid: v-1, resourceVersion: "7", annotations: {a: b}}
status: {conditions: []}
webhooks:
- {name: new.firebreak.dev, clientConfig: {}}
- {name: core.firebreak.dev, failurePolicy: Fail, clientConfig: {caBundle: Y2E=, service: {name: firebreak}}}
`)
	if diff := cmp.Diff(want, o); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	policy := tree(t, "{kind: ValidatingAdmissionPolicy, metadata: {name: firebreak-a}, spec: {failurePolicy: Ignore, variables: []}, extra: 1}")
	fill(policy, map[string]any{"spec": map[string]any{"failurePolicy": "Fail"}})
	if diff := cmp.Diff(tree(t, "{kind: ValidatingAdmissionPolicy, metadata: {name: firebreak-a}, spec: {failurePolicy: Fail}}"), policy); diff != "" {
		t.Errorf("a policy (-want +got):\n%s", diff)
	}
}
