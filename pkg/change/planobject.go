package change

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// CustomPlan returns the plan of a custom resource that runs something: all but its metadata and status, since any field may decide what its
// controller runs, and the content of the ConfigMaps that its templates use. What the controller adds to what it makes of it does not belong to the plan.
func CustomPlan(object map[string]any, templates []*workload.Template, contents Contents) *Plan {
	b := builder{version: PlanVersion, fields: map[string]v1alpha1.PlannedField{}}
	for _, t := range templates {
		for _, c := range t.Containers() {
			if c.Image != "" && !pinnedImage(c.Image) {
				b.unpinned = append(b.unpinned, fmt.Sprintf("%s.image %q", c.Path, c.Image))
			}
		}
	}
	for key, value := range object {
		if !slices.Contains([]string{"apiVersion", "kind", "metadata", "status"}, key) {
			b.object(child("", key), key, value) // an empty selector and none differ
		}
	}
	b.contentOf(templates, contents)
	return b.plan()
}

// ObjectPlan returns the plan of an object that runs nothing, of a kind whose windows pin what it says; nil: they pin nothing of the kind.
func ObjectPlan(group, kind string, object map[string]any) *Plan {
	if group == v1alpha1.GroupName {
		spec, _ := object["spec"].(map[string]any)
		return SpecPlan(kind, spec)
	}
	parts := partsOf(group, kind)
	if len(parts) == 0 {
		return nil
	}
	b := builder{version: PlanVersion, fields: map[string]v1alpha1.PlannedField{}}
	if kind == crdKind {
		b.definition(object)
		return b.plan()
	}
	for _, part := range parts {
		above, key := object, part
		if part == "labels" || part == "taints" {
			above, _ = object[map[string]string{"labels": "metadata", "taints": "spec"}[part]].(map[string]any)
		}
		b.part(part, normal(key, pruned(above[key])))
	}
	return b.plan()
}

// part adds a field of an object that runs nothing. What a ConfigMap holds is pinned as a workload that uses it pins it.
func (b *builder) part(name string, value any) {
	values, ok := value.(map[string]any)
	if name != "data" && name != "binaryData" || !ok || len(values) > maxFields {
		b.object(name, "", value)
		return
	}
	for key, item := range values {
		text, _ := item.(string)
		content := []byte(text)
		if name == "binaryData" {
			if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
				content = raw
			}
		}
		b.content(child(name, key), key, content, true)
	}
}

// partsOf returns the fields of a kind that its windows pin: what the boundary, and what a run finds, rest on.
func partsOf(group, kind string) []string {
	switch group + "/" + kind {
	case "/ConfigMap":
		return []string{"data", "binaryData"}
	case "/Namespace":
		return []string{"labels"}
	case "/Node":
		return []string{"labels", "taints"}
	case "rbac.authorization.k8s.io/Role":
		return []string{"rules"}
	case "rbac.authorization.k8s.io/ClusterRole":
		return []string{"rules", "aggregationRule", "labels"} // labels give its rules to others
	case "apiextensions.k8s.io/" + crdKind:
		return []string{"spec"}
	case "rbac.authorization.k8s.io/RoleBinding", "rbac.authorization.k8s.io/ClusterRoleBinding":
		return []string{"roleRef", "subjects"}
	}
	return nil
}

const crdKind = "CustomResourceDefinition"

// definition adds what a definition of a kind says, each version apart, as the API server would store it.
func (b *builder) definition(object map[string]any) {
	spec, _ := object["spec"].(map[string]any)
	names, _ := spec["names"].(map[string]any)
	kind, _ := names["kind"].(string)
	for key, value := range spec {
		list, ok := value.([]any)
		if key != "versions" || !ok {
			b.object("spec."+key, key, withDefaults(key, kind, value)) // an empty subresource says something
			continue
		}
		for i, version := range list {
			b.object(fmt.Sprintf("spec.versions[%d]", i), "versions", version)
		}
	}
	if _, said := spec["conversion"]; !said {
		b.object("spec.conversion", "conversion", withDefaults("conversion", kind, nil))
	}
}

// withDefaults fills in what the API server does in a part of a definition.
// Source: https://kubernetes.io/docs/reference/kubernetes-api/extend-resources/custom-resource-definition-v1/
func withDefaults(part, kind string, value any) any {
	of, _ := value.(map[string]any)
	out := maps.Clone(of)
	switch {
	case part == "names" && out != nil:
		if out["singular"] == nil {
			out["singular"] = strings.ToLower(kind)
		}
		if out["listKind"] == nil {
			out["listKind"] = kind + "List"
		}
		return out
	case part == "conversion" && len(out) == 0:
		return map[string]any{"strategy": "None"}
	}
	return value
}

// Pins reports whether windows for a kind that runs nothing pin what its objects say.
func Pins(group, kind string) bool { return PinsSpec(group, kind) || len(partsOf(group, kind)) > 0 }

// normal takes out of a field what the API server fills in, so that a manifest and the stored object pin the same.
func normal(key string, value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := maps.Clone(v)
		switch key {
		case "labels":
			delete(out, "kubernetes.io/metadata.name")
		case "roleRef", "subjects":
			delete(out, "apiGroup") // it follows from the kind
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = normal(key, v[i])
		}
		return out
	}
	return value
}

// contentOf pins the ConfigMaps that templates use.
func (b *builder) contentOf(templates []*workload.Template, contents Contents) {
	names := ConfigMapsOf(templates...)
	if b.tooMany = len(names) > MaxConfigMaps; b.tooMany {
		return
	}
	for _, t := range templates {
		b.configMaps(t, contents)
	}
}
