package reference

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// downward finds what the labels and annotations name that a workload reads of itself, in variables and in volumes: what
// stands there is a value like any other, whatever the label is called.
func downward(in *Input) []Reference {
	var out []Reference
	for _, c := range in.containers() {
		for i, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.FieldRef != nil {
				path := workload.Item(c.Path+".env", i) + ".valueFrom.fieldRef.fieldPath"
				out = append(out, in.field(path, e.Name, c.Template, e.ValueFrom.FieldRef)...)
			}
		}
	}
	for _, t := range in.templates() {
		for i, v := range t.Spec.Volumes {
			path := workload.Item(t.SpecPath()+".volumes", i)
			if v.DownwardAPI != nil {
				out = append(out, in.fields(path+".downwardAPI", t, v.DownwardAPI.Items)...)
			}
			if v.Projected == nil {
				continue
			}
			for j, s := range v.Projected.Sources {
				if s.DownwardAPI != nil {
					out = append(out, in.fields(fmt.Sprintf("%s.projected.sources[%d].downwardAPI", path, j), t, s.DownwardAPI.Items)...)
				}
			}
		}
	}
	return out
}

func (in *Input) fields(path string, t *workload.Template, items []corev1.DownwardAPIVolumeFile) []Reference {
	var out []Reference
	for i := range items {
		if ref := items[i].FieldRef; ref != nil {
			out = append(out, in.field(fmt.Sprintf("%s.items[%d].fieldRef.fieldPath", path, i), items[i].Path, t, ref)...)
		}
	}
	return out
}

// field reads what a field of the Pod itself says. All labels or annotations together make a file of many lines.
func (in *Input) field(path, hint string, t *workload.Template, ref *corev1.ObjectFieldSelector) []Reference {
	var targets []Target
	if value, ok := fieldOf(t, ref.FieldPath); ok {
		targets = in.variable(hint, value)
	}
	for _, key := range slices.Sorted(maps.Keys(allOf(t, ref.FieldPath))) {
		targets = append(targets, in.variable("", allOf(t, ref.FieldPath)[key])...)
	}
	return in.at(path, ref.FieldPath, targets)
}

func allOf(t *workload.Template, fieldPath string) map[string]string {
	switch fieldPath {
	case "metadata.labels":
		return t.Labels
	case "metadata.annotations":
		return t.Annotations
	}
	return nil
}

// fieldOf returns the label or annotation that metadata.labels['key'] or metadata.annotations['key'] names.
func fieldOf(t *workload.Template, fieldPath string) (string, bool) {
	of, key, ok := strings.Cut(strings.TrimSuffix(fieldPath, "']"), "['")
	if !ok {
		return "", false
	}
	value, ok := allOf(t, of)[key]
	return value, ok
}
