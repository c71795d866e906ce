package workload

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-dev/firebreak/pkg/budget"
)

// Embedded finds the pod templates, pod specs and lone containers anywhere in a custom resource. It recognises them by their
// shape, so that it need not know the kind: a workflow's step runs like any other container. The budget pays for decoding
// them; if the budget is exceeded, some were not found.
func Embedded(tree map[string]any, b *budget.Budget) []Template {
	f := finder{budget: b}
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		if key != "metadata" && key != "status" {
			f.node(tree[key], place{key: key}, nil)
		}
	}
	return f.out
}

// maxEmbedded is how deep the search goes.
const maxEmbedded = 128

// maxMistaken is how many nested values may look like a part of a pod spec without being one.
const maxMistaken = 4

type finder struct {
	budget *budget.Budget
	out    []Template
}

// place is the position of a value. It becomes text only where something is found.
type place struct {
	up *place
	// key is the nearest name, and index the position in a list; for an item of a list, key is the name of the list.
	key   string
	index int
	item  bool
	// depth is the number of values above. mistaken is how many of them were mistaken for a part of a pod spec: each was encoded
	// as a whole.
	depth, mistaken int
}

// maxKey is how many bytes of a key a path shows.
const maxKey = 128

func (p *place) within(key string) place {
	if len(key) > maxKey {
		key = strings.ToValidUTF8(key[:maxKey], "") + "…"
	}
	return place{up: p, key: key, depth: p.depth + 1, mistaken: p.mistaken}
}

func (p *place) at(index int) place {
	return place{up: p, key: p.key, index: index, item: true, depth: p.depth + 1, mistaken: p.mistaken}
}

func (p *place) String() string {
	switch {
	case p.up == nil:
		return p.key
	case p.item:
		return p.up.String() + "[" + strconv.Itoa(p.index) + "]"
	}
	return join(p.up.String(), p.key)
}

// node looks at one value. metadata is the metadata beside it: that of a template if the value is a pod spec.
func (f *finder) node(v any, p place, metadata map[string]any) {
	if p.depth > maxEmbedded || p.mistaken > maxMistaken {
		f.budget.TooDeep()
		return
	}
	if !f.budget.Spend(nodeCost) {
		return
	}
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			if !composite(item) {
				continue // most items of a long list are skipped: not even their paths are needed
			}
			f.node(item, p.at(i), nil)
		}
	case Text:
		for _, tree := range v.Trees {
			f.node(tree, p, nil)
		}
	case map[string]any:
		taken := f.take(v, p, metadata)
		beside, _ := v["metadata"].(map[string]any)
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if !taken[k] && composite(v[k]) {
				below := p.within(k)
				if mistook, tried := taken[k]; tried && !mistook {
					below.mistaken++
				}
				f.node(v[k], below, beside)
			}
		}
	}
}

func composite(v any) bool {
	switch v.(type) {
	case map[string]any, []any, Text:
		return true
	}
	return false
}

func join(path, key string) string {
	if strings.ContainsAny(key, "./[") {
		return path + "[" + strconv.Quote(key) + "]"
	}
	return path + "." + key
}

// take reads the fields of a map that are those of a pod spec or of a container. It returns true for each field that it read,
// and false for each that looks like one and is not.
func (f *finder) take(m map[string]any, p place, metadata map[string]any) map[string]bool {
	pod, container := podFields(m), looksLikeContainer(m, p.key)
	if len(pod) == 0 && !container {
		return nil
	}
	path := p.String()
	if !f.budget.Spend(len(path)) {
		return nil
	}
	tried := map[string]bool{}
	t := Template{Path: strings.TrimSuffix(path, ".spec"), at: path}
	if metadata != nil {
		t.Labels, t.Annotations = texts(metadata["labels"]), texts(metadata["annotations"])
	}
	for _, key := range pod {
		if v := usual(key, m[key]); shape(key, v) {
			tried[key] = f.decodeInto(&t.Spec, key, v)
		}
	}
	if container {
		var c corev1.Container
		for _, key := range containerFields() {
			if v, ok := m[key]; ok {
				if v = usual(key, v); shape(key, v) {
					tried[key] = f.decodeInto(&c, key, v)
				}
			}
		}
		key, script := scriptOf(m)
		t.loose = append(t.loose, Container{Path: path, Container: &c, Script: script, scriptKey: key})
		if key != "" && script != "" {
			tried[key] = true
		}
	}
	if slices.Contains(slices.Collect(maps.Values(tried)), true) {
		f.out = append(f.out, t)
	}
	return tried
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

// podFields returns the keys of a map that are fields of a pod spec. Volumes and placement count even without containers:
// operators merge them into Pods of their own.
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

// looksLikeContainer reports whether a map looks like a container: an image with a command, a script or another use, or
// variables alone, as operators take them.
func looksLikeContainer(m map[string]any, above string) bool {
	if _, ok := variables(m["env"]).([]any); ok {
		return true
	}
	if _, ok := m["envFrom"].([]any); ok {
		return true
	}
	if words, ok := words(m["command"]).([]any); ok && len(words) > 0 {
		return true // whatever its image: a hook runs in another container
	}
	_, image := imageOf(m["image"]).(string)
	_, name := m["name"].(string)
	if key, script := scriptOf(m); key != "" && (image || name && key == "script" || strings.ContainsAny(script, " \n") && !isFileScript(key)) {
		return true // a step may have its image from a template of all steps, or run in a cluster of its own
	}
	if !image {
		return false
	}
	switch above {
	case "container", "containers", "initContainers", "steps", "sidecars", "script":
		return true // the image's own program runs
	}
	for _, key := range []string{"command", "args", "volumeMounts", "livenessProbe", "readinessProbe", "lifecycle"} {
		if _, ok := m[key]; ok {
			return true
		}
	}
	return false
}

// scriptOf returns the script of a step, and its field. Tekton calls the field script, and Argo Workflows source; others give
// the command as a line of words.
func scriptOf(m map[string]any) (key, script string) {
	for _, key := range []string{"script", "source", "entrypoint", "run", "shell", "command"} {
		if s, ok := m[key].(string); ok && s != "" {
			return key, s
		}
	}
	return "", ""
}

// isFileScript reports whether the text of a field is written to a file, which the command runs.
func isFileScript(key string) bool { return key == "script" || key == "source" }

func containerFields() []string {
	return []string{"name", "image", "command", "args", "env", "envFrom", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "volumeMounts", "securityContext"}
}

// nodeCost is the cost of looking at one value, in units.
const nodeCost = 16

// decodeInto decodes one field. A value that cannot be decoded is not such a field, and remains a text like any other.
func (f *finder) decodeInto(into any, key string, value any) bool {
	if !f.charge(key, value, 1) {
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

// shape reports whether a value has the shape that its key requires: a value of another shape is not worth decoding.
func shape(key string, value any) bool {
	switch key {
	case "name", "image", "priorityClassName", "runtimeClassName", "schedulerName", "nodeName", "serviceAccountName":
		_, text := value.(string)
		return text
	case "hostNetwork", "hostPID", "hostIPC":
		_, yes := value.(bool)
		return yes
	case "affinity", "dnsConfig", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "securityContext":
		_, object := value.(map[string]any)
		return object
	case "nodeSelector":
		labels, object := value.(map[string]any)
		return object && all(maps.Values(labels), isText)
	case "command", "args":
		words, list := value.([]any)
		return list && all(slices.Values(words), isText)
	}
	parts, list := value.([]any)
	return list && all(slices.Values(parts), func(v any) bool { _, object := v.(map[string]any); return object })
}

func isText(v any) bool {
	switch v.(type) {
	case string, Text:
		return true
	}
	return false
}

func all(values iter.Seq[any], is func(any) bool) bool {
	for v := range values {
		if !is(v) {
			return false
		}
	}
	return true
}

// charge spends the cost of encoding a value and reading it again.
func (f *finder) charge(key string, value any, depth int) bool {
	if depth > maxEmbedded || !f.budget.Spend(nodeCost) {
		return false
	}
	switch v := value.(type) {
	case []any:
		for _, part := range v {
			if _, object := part.(map[string]any); object && !f.budget.Part(weight(key)) || !f.charge("", part, depth+1) {
				return false
			}
		}
	case map[string]any:
		for k, part := range v {
			if !f.budget.Spend(len(k)) || !f.charge(k, part, depth+1) {
				return false
			}
		}
	case string:
		return f.budget.Spend(len(v))
	case Text:
		return f.budget.Spend(len(v.Raw))
	}
	return true
}
