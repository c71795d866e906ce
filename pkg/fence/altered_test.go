package fence_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-dev/firebreak/pkg/fence"
)

// What is added to a policy or a binding so that it refuses less is noticed; what the API server fills in is not taken for that.
func TestAltered(t *testing.T) {
	policies, err := fence.Policies(input(nil))
	if err != nil {
		t.Fatal(err)
	}
	bound := fence.Bindings("firebreak-system", []string{fence.Members})[0]
	set := func(value any, path ...string) func(*unstructured.Unstructured) {
		return func(u *unstructured.Unstructured) { _ = unstructured.SetNestedField(u.Object, value, path...) }
	}
	for name, tc := range map[string]struct {
		of   *unstructured.Unstructured
		edit func(*unstructured.Unstructured)
		want bool
	}{
		"as written": {policies[0], func(*unstructured.Unstructured) {}, false},
		"with defaults": {policies[0], func(u *unstructured.Unstructured) {
			set("Equivalent", "spec", "matchConstraints", "matchPolicy")(u)
			set(map[string]any{}, "spec", "matchConstraints", "namespaceSelector")(u)
		}, false},
		"a condition more":   {policies[0], set([]any{map[string]any{"name": "a", "expression": "false"}, map[string]any{"name": "b", "expression": "false"}, map[string]any{"name": "c", "expression": "false"}}, "spec", "matchConditions"), true},
		"something left out": {policies[0], set([]any{map[string]any{"resources": []any{"*"}}}, "spec", "matchConstraints", "excludeResourceRules"), true},
		"some namespaces":    {policies[0], set(map[string]any{"matchLabels": map[string]any{"a": "b"}}, "spec", "matchConstraints", "namespaceSelector"), true},
		"a narrow binding":   {bound, set(map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{"a": "b"}}}, "spec", "matchResources"), true},
		"another action":     {bound, set([]any{"Deny", "Audit"}, "spec", "validationActions"), true},
		"a binding":          {bound, func(*unstructured.Unstructured) {}, false},
	} {
		stored := tc.of.DeepCopy()
		if tc.edit(stored); fence.Altered(tc.of, stored) != tc.want {
			t.Errorf("%s: %t, want %t", name, !tc.want, tc.want)
		}
	}
}
