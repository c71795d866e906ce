package change

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/config"
	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// schema is the part of an OpenAPI schema that defaults stand in.
type schema struct {
	Default              any               `json:"default"`
	Properties           map[string]schema `json:"properties"`
	AdditionalProperties *schema           `json:"additionalProperties"`
	Items                *schema           `json:"items"`
}

// defaulted returns a copy of the spec of an object of Firebreak's own kinds, with what the API server fills in where nothing is said: a
// manifest and the stored object pin the same.
func defaulted(kind string, spec map[string]any) (map[string]any, error) {
	raw, err := config.Definitions.ReadFile(fmt.Sprintf("crd/%s_%ss.yaml", v1alpha1.GroupName, strings.ToLower(kind)))
	if err != nil {
		return nil, fmt.Errorf("definition of %s: %w", kind, err)
	}
	var definition struct {
		Spec struct {
			Versions []struct {
				Name   string `json:"name"`
				Schema struct {
					OpenAPIV3Schema schema `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(raw, &definition); err != nil {
		return nil, fmt.Errorf("definition of %s: %w", kind, err)
	}
	out := runtime.DeepCopyJSON(spec)
	for _, v := range definition.Spec.Versions {
		if v.Name == v1alpha1.GroupVersion().Version {
			of := v.Schema.OpenAPIV3Schema.Properties["spec"]
			of.fill(out)
		}
	}
	return out, nil
}

// fill writes defaults into a value.
func (s *schema) fill(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, p := range s.Properties {
			if item, said := v[name]; (!said || item == nil) && p.Default != nil {
				v[name] = runtime.DeepCopyJSONValue(p.Default)
			}
			if item, ok := v[name]; ok {
				p.fill(item)
			}
		}
		for name, item := range v {
			if _, known := s.Properties[name]; !known && s.AdditionalProperties != nil {
				s.AdditionalProperties.fill(item)
			}
		}
	case []any:
		for _, item := range v {
			if s.Items != nil {
				s.Items.fill(item)
			}
		}
	}
}
