package policy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// definition is the CRD of environments, as it is installed.
func definition(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "config", "crd", "firebreak.dev_environments.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(raw, &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

// at walks to an object within a definition: by the names of fields, and by their places in lists.
func at(t *testing.T, in any, path ...any) map[string]any {
	t.Helper()
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := in.(map[string]any)
			in = m[p]
		case int:
			l, _ := in.([]any)
			in = l[p]
		}
	}
	m, ok := in.(map[string]any)
	if !ok {
		t.Fatalf("%v leads to no object", path)
	}
	return m
}

// The definitions of Firebreak's kinds are upgraded with the chart, and every decision rests on them.
func TestBypassDefinition(t *testing.T) {
	type crd = *unstructured.Unstructured
	version := func(u crd) map[string]any { return at(t, u.Object, "spec", "versions", 0) }
	spec := func(u crd) map[string]any {
		return at(t, version(u), "schema", "openAPIV3Schema", "properties", "spec")
	}
	field := func(u crd, name string) map[string]any { return at(t, spec(u), "properties", name) }
	for name, tc := range map[string]struct {
		reason  string
		change  func(u crd)
		weakens bool
	}{
		"other words":        {"words decide nothing", func(u crd) { field(u, "tier")["description"] = "…" }, false},
		"another column":     {"what kubectl shows decides nothing", func(u crd) { delete(version(u), "additionalPrinterColumns") }, false},
		"another short name": {"how it is typed decides nothing", func(u crd) { at(t, u.Object, "spec", "names")["shortNames"] = []any{"e"} }, false},
		"a further field":    {"what knows it not leaves it alone", func(u crd) { at(t, spec(u), "properties")["more"] = map[string]any{"type": "string"} }, false},
		"a further validation": {"it could refuse what stops a change", func(u crd) {
			rules, _ := spec(u)["x-kubernetes-validations"].([]any)
			spec(u)["x-kubernetes-validations"] = append(rules, map[string]any{"rule": "true"})
		}, true},
		"a further field that is set by itself": {"what nobody has set would be refused", func(u crd) {
			at(t, spec(u), "properties")["more"] = map[string]any{"type": "string", "default": "x", "enum": []any{"y"}}
		}, true},
		"words in a validation": {"words decide nothing", func(u crd) {
			rules, _ := spec(u)["x-kubernetes-validations"].([]any)
			at(t, rules, 0)["message"] = "…"
		}, false},
		"labels":                      {"they say who installed it", func(u crd) { u.SetLabels(map[string]string{"a": "b"}) }, false},
		"a field named description":   {"it is a field like any other", func(u crd) { at(t, spec(u), "properties")["description"] = map[string]any{"type": "string"} }, false},
		"a field less":                {"what stood there is pruned", func(u crd) { delete(at(t, spec(u), "properties"), "enforcement") }, true},
		"a field of another type":     {"what stood there is gone", func(u crd) { field(u, "tier")["type"] = "integer" }, true},
		"a validation less":           {"what was refused is taken", func(u crd) { delete(spec(u), "x-kubernetes-validations") }, true},
		"another validation":          {"the same", func(u crd) { spec(u)["x-kubernetes-validations"] = []any{map[string]any{"rule": "true"}} }, true},
		"another default":             {"what is omitted would be something else", func(u crd) { at(t, field(u, "enforcement"), "properties", "default")["default"] = "Audit" }, true},
		"a default where none was":    {"the same", func(u crd) { field(u, "tier")["default"] = "Shared" }, true},
		"a wider enum":                {"nobody knows what the new word means", func(u crd) { field(u, "tier")["enum"] = []any{"Production", "NonProduction", "Shared", "None"} }, true},
		"a required field":            {"what is stored could not be written any more", func(u crd) { spec(u)["required"] = []any{"tier", "nodes"} }, true},
		"a field that takes anything": {"it is another field", func(u crd) { field(u, "enforcement")["x-kubernetes-preserve-unknown-fields"] = true }, true},
		"not served":                  {"the estate could not be read", func(u crd) { version(u)["served"] = false }, true},
		"converted by somebody":       {"whoever converts says what is stored", func(u crd) { at(t, u.Object, "spec")["conversion"] = map[string]any{"strategy": "Webhook"} }, true},
		"no status of its own":        {"whoever writes the spec would write the status", func(u crd) { delete(version(u), "subresources") }, true},
		"no schema":                   {"anything could be stored", func(u crd) { delete(version(u), "schema") }, true},
		"no versions":                 {"nothing could be stored", func(u crd) { delete(at(t, u.Object, "spec"), "versions") }, true},
		"another plural":              {"it would be another resource", func(u crd) { at(t, u.Object, "spec", "names")["plural"] = "envs" }, true},
		"no spec":                     {"nothing can be proved of it", func(u crd) { delete(u.Object, "spec") }, true},
		"an owner beside other words": {"the garbage collector deletes what names an owner that is not there", func(u crd) {
			field(u, "tier")["description"] = "…"
			u.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "a", UID: "b"}})
		}, true},
		"labels that were any, or one": {"what stood under others is pruned", func(u crd) {
			m := at(t, field(u, "namespaces"), "properties", "selector", "properties", "matchLabels")
			delete(m, "additionalProperties")
			m["properties"] = map[string]any{"a": map[string]any{"type": "string"}}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, old, new := newStage(t), definition(t), definition(t)
			tc.change(new)
			req := &policy.Request{Operation: policy.Update, User: s.as(t, "bob"), Now: now(), Name: old.GetName()}
			req.Kind = schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}
			req.Resource = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
			var err error
			if req.OldObject, err = json.Marshal(old); err != nil {
				t.Fatal(err)
			}
			if req.Object, err = json.Marshal(new); err != nil {
				t.Fatal(err)
			}
			d, err := policy.Evaluate(*req, s.cluster, nil)
			if err != nil {
				t.Fatal(err)
			}
			said := policy.DenialMessage(*req, d.Denied())
			if tc.weakens != !d.Allowed || tc.weakens && !strings.Contains(said, "BoundaryTampering: this weakens the boundary: it changes") {
				t.Errorf("%s: allowed %t: %s", tc.reason, d.Allowed, said)
			}
		})
	}
}
