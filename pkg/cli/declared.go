package cli

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// declares returns the environments and data stores among values of the chart. It is nil if the values declare none.
func declares(values map[string]any) map[string]any {
	var out map[string]any
	for _, key := range []string{"environments", "dataStores"} {
		if v, ok := values[key]; ok {
			if out == nil {
				out = map[string]any{}
			}
			out[key] = v
		}
	}
	return out
}

// over lays one values file over those before it, as Helm does: it merges maps and replaces everything else.
func over(before, after map[string]any) map[string]any {
	if before == nil {
		before = map[string]any{}
	}
	for k, v := range after {
		below, isMap := before[k].(map[string]any)
		if above, ok := v.(map[string]any); ok && isMap {
			before[k] = over(below, above)
		} else {
			before[k] = v
		}
	}
	return before
}

// declaredBy returns the environments and data stores that values declare.
func declaredBy(values map[string]any) ([]*unstructured.Unstructured, error) {
	raw, err := yaml.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("read the values: %w", err)
	}
	return estate.ParseDeclared(string(raw))
}

// declaredIn returns what the chart's ConfigMap declares, and nothing for any other object.
func declaredIn(u *unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	if u.GetKind() != "ConfigMap" || u.GetName() != estate.DeclaredConfigMap {
		return nil, nil
	}
	text, _, err := unstructured.NestedString(u.Object, "data", estate.DeclaredKey)
	if err != nil {
		return nil, fmt.Errorf("read ConfigMap %q: %w", u.GetName(), err)
	}
	return estate.ParseDeclared(text)
}
