package workload

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Embedded finds the pod templates, the pod specs and the lone containers that stand anywhere in a custom resource. It
// goes by their shape, so that no kind need be known: a workflow's step runs like any other container.
func Embedded(tree map[string]any) []Template {
	f := finder{}
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		if key != "metadata" && key != "status" {
			f.node(tree[key], key, nil, 1)
		}
	}
	return f.out
}

// maxEmbedded is how deep templates are looked for.
const maxEmbedded = 64

type finder struct{ out []Template }

// node looks at one value. metadata is what stands beside it: that of a template, if it is a pod spec.
func (f *finder) node(v any, path string, metadata map[string]any, depth int) {
	if depth > maxEmbedded {
		return
	}
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			f.node(item, path+"["+strconv.Itoa(i)+"]", nil, depth+1)
		}
	case map[string]any:
		taken := f.take(v, path, metadata)
		beside, _ := v["metadata"].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if !taken[key] {
				f.node(v[key], join(path, key), beside, depth+1)
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
func (f *finder) take(m map[string]any, path string, metadata map[string]any) map[string]bool {
	taken := map[string]bool{}
	t := Template{Path: strings.TrimSuffix(path, ".spec"), at: path}
	if metadata != nil {
		t.Labels, t.Annotations = texts(metadata["labels"]), texts(metadata["annotations"])
	}
	for _, key := range podFields(m) {
		if decodeInto(&t.Spec, key, m[key]) {
			taken[key] = true
		}
	}
	if looksLikeContainer(m) {
		var c corev1.Container
		for _, key := range containerFields() {
			if v, ok := m[key]; ok && decodeInto(&c, key, v) {
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
func looksLikeContainer(m map[string]any) bool {
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

// decodeInto decodes one field. What has another shape is no such field, and stays a text like any other.
func decodeInto(into any, key string, value any) bool {
	raw, err := json.Marshal(map[string]any{key: value})
	if err != nil {
		return false
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return false
	}
	return true
}
