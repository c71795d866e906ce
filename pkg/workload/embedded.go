package workload

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-dev/firebreak/pkg/budget"
)

// Embedded finds the pod templates, the pod specs and the lone containers that stand anywhere in a custom resource. It
// goes by their shape, so that no kind need be known: a workflow's step runs like any other container.
// What it costs to decode them is charged to the budget, whose end shows that they were not all found.
func Embedded(tree map[string]any, b *budget.Budget) []Template {
	f := finder{budget: b}
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		if key != "metadata" && key != "status" {
			f.node(tree[key], key, key, nil, 1)
		}
	}
	return f.out
}

// maxEmbedded is how deep templates are looked for.
const maxEmbedded = 128

type finder struct {
	budget *budget.Budget
	out    []Template
}

// node looks at one value. key is the nearest name above it, and metadata what stands beside it: that of a template, if it is a
// pod spec.
func (f *finder) node(v any, path, key string, metadata map[string]any, depth int) {
	if depth > maxEmbedded {
		f.budget.TooDeep()
		return
	}
	if !f.budget.Spend(nodeCost) {
		return
	}
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			f.node(item, path+"["+strconv.Itoa(i)+"]", key, nil, depth+1)
		}
	case map[string]any:
		taken := f.take(v, path, key, metadata)
		beside, _ := v["metadata"].(map[string]any)
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if !taken[k] {
				f.node(v[k], join(path, k), k, beside, depth+1)
			}
		}
	}
}

func join(path, key string) string {
	if strings.ContainsAny(key, "./[") {
		return path + "[" + strconv.Quote(key) + "]"
	}
	return path + "." + key
}

// take reads the parts of a map that are those of a pod spec or of a container, and returns which.
func (f *finder) take(m map[string]any, path, above string, metadata map[string]any) map[string]bool {
	taken := map[string]bool{}
	t := Template{Path: strings.TrimSuffix(path, ".spec"), at: path}
	if metadata != nil {
		t.Labels, t.Annotations = texts(metadata["labels"]), texts(metadata["annotations"])
	}
	for _, key := range podFields(m) {
		if f.decodeInto(&t.Spec, key, m[key]) {
			taken[key] = true
		}
	}
	if looksLikeContainer(m, above) {
		var c corev1.Container
		for _, key := range containerFields() {
			if v, ok := m[key]; ok && f.decodeInto(&c, key, v) {
				taken[key] = true
			}
		}
		key, script := scriptOf(m)
		t.loose = append(t.loose, Container{Path: path, Container: &c, Script: script, scriptKey: key})
	}
	if len(taken) > 0 {
		f.out = append(f.out, t)
	}
	return taken
}

func texts(v any) map[string]string {
	m, _ := v.(map[string]any)
	out := map[string]string{}
	for k, v := range m {
		if s, ok := v.(string); ok {
			out[k] = s
		}
	}
	return out
}

// podFields returns which keys of a map are those of a pod spec. Volumes and what places a Pod count even where the
// containers are somebody else's: operators merge them into Pods of their own.
func podFields(m map[string]any) []string {
	var out []string
	for _, key := range []string{"containers", "initContainers", "ephemeralContainers", "volumes", "imagePullSecrets", "nodeSelector", "tolerations",
		"affinity", "priorityClassName", "runtimeClassName", "schedulerName", "hostAliases", "dnsConfig"} {
		if _, ok := m[key]; ok {
			out = append(out, key)
		}
	}
	_, runs := m["containers"]
	if runs {
		for _, key := range []string{"nodeName", "serviceAccountName", "hostNetwork", "hostPID", "hostIPC"} {
			if _, ok := m[key]; ok {
				out = append(out, key)
			}
		}
	}
	return out
}

// looksLikeContainer: an image with something that is done with it, or variables alone, as operators take them.
func looksLikeContainer(m map[string]any, above string) bool {
	_, env := m["env"].([]any)
	_, from := m["envFrom"].([]any)
	if env || from {
		return true
	}
	_, image := m["image"].(string)
	_, name := m["name"].(string)
	if key, _ := scriptOf(m); image && key != "" || name && key == "script" {
		return true // a step may have its image from a template of all steps
	}
	if !image {
		return false
	}
	switch above {
	case "container", "containers", "initContainers", "steps", "sidecars", "script":
		return true // what it runs, the image itself says
	}
	for _, key := range []string{"command", "args", "volumeMounts", "livenessProbe", "readinessProbe", "lifecycle"} {
		if _, ok := m[key]; ok {
			return true
		}
	}
	return false
}

// scriptOf returns the script of a step, and its field: Tekton calls it script, and Argo Workflows source.
func scriptOf(m map[string]any) (key, script string) {
	for _, key := range []string{"script", "source"} {
		if s, ok := m[key].(string); ok && s != "" {
			return key, s
		}
	}
	return "", ""
}

func containerFields() []string {
	return []string{"name", "image", "command", "args", "env", "envFrom", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "volumeMounts", "securityContext"}
}

// nodeCost is what it costs to look at one value, and PartCost what Kubernetes' own types make of one part of a list, such as a
// container, in bytes. It is more than most take.
const nodeCost, PartCost = 16, 2048

// decodeInto decodes one field. What has another shape is no such field, and stays a text like any other.
func (f *finder) decodeInto(into any, key string, value any) bool {
	switch v := value.(type) {
	case []any:
		for _, part := range v {
			if !shaped(part, key) {
				return false
			}
		}
	case map[string]any:
	case string, bool:
		if !scalar(key) {
			return false
		}
	default:
		return false
	}
	if !f.charge(value, 1) {
		return false
	}
	raw, err := json.Marshal(map[string]any{key: value})
	if err != nil {
		return false
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return false
	}
	return true
}

// shaped reports whether a part of a list can be what the key says: all lists but those of words hold objects.
func shaped(part any, key string) bool {
	if key == "command" || key == "args" {
		_, word := part.(string)
		return word
	}
	_, object := part.(map[string]any)
	return object
}

// scalar: the fields that are no objects and no lists.
func scalar(key string) bool {
	switch key {
	case "name", "image", "priorityClassName", "runtimeClassName", "schedulerName", "nodeName", "serviceAccountName", "hostNetwork", "hostPID", "hostIPC":
		return true
	}
	return false
}

// charge spends what it costs to write a value down and to read it again.
func (f *finder) charge(value any, depth int) bool {
	if depth > maxEmbedded || !f.budget.Spend(nodeCost) {
		return false
	}
	switch v := value.(type) {
	case []any:
		for _, part := range v {
			if _, object := part.(map[string]any); object && !f.budget.Spend(PartCost) || !f.charge(part, depth+1) {
				return false
			}
		}
	case map[string]any:
		for k, part := range v {
			if !f.budget.Spend(len(k)) || !f.charge(part, depth+1) {
				return false
			}
		}
	case string:
		return f.budget.Spend(len(v))
	}
	return true
}

// Accounts returns the service accounts of its own namespace that a custom resource names to run as, or to act as, sorted.
func Accounts(tree map[string]any) []string {
	found := map[string]bool{}
	accounts(tree["spec"], found, 1)
	return slices.Sorted(maps.Keys(found))
}

func accounts(v any, found map[string]bool, depth int) {
	if depth > maxEmbedded {
		return // Embedded says that nobody can tell
	}
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			accounts(item, found, depth+1)
		}
	case map[string]any:
		for key, value := range v {
			name, _ := value.(string)
			if ref, ok := value.(map[string]any); ok && strings.EqualFold(key, "serviceAccountRef") {
				name, _ = ref["name"].(string)
			}
			if name != "" && accountKey(key) {
				found[name] = true
			}
			accounts(value, found, depth+1)
		}
	}
}

// accountKey: the fields in which a service account stands.
func accountKey(key string) bool {
	l := strings.ToLower(key)
	return strings.HasSuffix(l, "serviceaccountname") || strings.HasSuffix(l, "serviceaccount") || l == "serviceaccountref"
}
