package change

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/hide"
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
			b.object(key, pruned(value))
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
	for _, part := range parts {
		above, key := object, part
		if part == "labels" || part == "taints" {
			above, _ = object[map[string]string{"labels": "metadata", "taints": "spec"}[part]].(map[string]any)
		}
		b.object(part, normal(key, pruned(above[key])))
	}
	return b.plan()
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
	case "rbac.authorization.k8s.io/Role", "rbac.authorization.k8s.io/ClusterRole":
		return []string{"rules", "aggregationRule"}
	case "rbac.authorization.k8s.io/RoleBinding", "rbac.authorization.k8s.io/ClusterRoleBinding":
		return []string{"roleRef", "subjects"}
	}
	return nil
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

// maxFields is how many fields of an object are told apart; one with more is pinned by larger parts. A window holds 512 for each entry.
const maxFields = 400

// object adds the fields below a path, each by itself if they are not too many.
func (b *builder) object(path string, value any) {
	if leaves(value) <= maxFields {
		b.below(path, "", value)
		return
	}
	of, ok := value.(map[string]any)
	if !ok {
		b.say(path, value)
		return
	}
	for key, item := range of {
		b.say(child(path, key), item)
	}
}

// below adds each value of an object: by the key that it stands under, so that credentials are hidden.
func (b *builder) below(path, key string, value any) {
	switch v := value.(type) {
	case nil:
	case string:
		b.hidden(path, hide.Value(path, key, v))
	case map[string]any:
		if whole(v) {
			b.say(path, v)
			return
		}
		for k, item := range v {
			b.below(child(path, k), k, item)
		}
	case []any:
		if words, ok := wordsIn(v); ok {
			b.say(path, words)
			return
		}
		for i, item := range v {
			b.below(fmt.Sprintf("%s[%d]", path, i), key, item)
		}
	default:
		b.say(path, v)
	}
}

// child returns the path of a field. A key that could be read as a path is quoted, so that no two objects have the same paths.
func child(path, key string) string {
	if plainKey.MatchString(key) {
		return path + "." + key
	}
	return fmt.Sprintf("%s[%q]", path, key)
}

var plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// whole reports whether an object says one thing together: a name and its value, or nothing.
func whole(v map[string]any) bool {
	_, name := v["name"]
	_, value := v["value"]
	_, from := v["valueFrom"]
	return len(v) == 0 || name && (value || from)
}

func wordsIn(list []any) ([]string, bool) {
	out := make([]string, len(list))
	for i, item := range list {
		s, ok := item.(string)
		if !ok {
			return nil, false
		}
		out[i] = s
	}
	return out, true
}

// leaves counts the fields that below would add.
func leaves(value any) int {
	n := 0
	switch v := value.(type) {
	case map[string]any:
		if whole(v) {
			return 1
		}
		for _, item := range v {
			n += leaves(item)
		}
		return n
	case []any:
		if _, ok := wordsIn(v); ok {
			return 1
		}
		for _, item := range v {
			n += leaves(item)
		}
		return n
	}
	return 1
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
