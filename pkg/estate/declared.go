package estate

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Where the chart puts the environments and data stores that its values declare: a ConfigMap of Firebreak's own namespace,
// and the key in it.
const (
	DeclaredConfigMap = "firebreak-estate"
	DeclaredKey       = "estate.yaml"
)

// ParseDeclared reads what values declare: under `environments` and `dataStores`, specs by name. One that is null is not
// declared. It is an error if anything else stands beside the two.
func ParseDeclared(text string) ([]*unstructured.Unstructured, error) {
	var d struct {
		Environments map[string]map[string]any `json:"environments"`
		DataStores   map[string]map[string]any `json:"dataStores"`
	}
	if err := yaml.UnmarshalStrict([]byte(text), &d); err != nil {
		return nil, fmt.Errorf("read the declared estate: %w", err)
	}
	return append(declared(v1alpha1.KindEnvironment, d.Environments), declared(v1alpha1.KindDataStore, d.DataStores)...), nil
}

func declared(kind string, specs map[string]map[string]any) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, name := range slices.Sorted(maps.Keys(specs)) {
		if specs[name] == nil {
			continue
		}
		o := &unstructured.Unstructured{}
		o.SetGroupVersionKind(v1alpha1.GVK(kind))
		o.SetName(name)
		o.SetLabels(map[string]string{v1alpha1.LabelDeclared: "true"})
		o.Object["spec"] = specs[name]
		out = append(out, o)
	}
	return out
}
