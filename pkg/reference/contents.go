package reference

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Contents is what is kept of a ConfigMap or Secret: what each key names, not what it says.
type Contents struct {
	Keys map[string]Content
}

// Content is what is kept of one key.
type Content struct {
	// Targets that its value names.
	Targets []Target
	// Short is the value itself, if it is one line of at most 253 characters: such a value may be a host or a part
	// of one that $(VAR) puts together. Longer ones are not kept, and Long is true.
	Short string
	Long  bool
}

// ReduceConfigMap reads a ConfigMap once, so that its contents need not be kept.
func ReduceConfigMap(cm *corev1.ConfigMap) Contents { return reduce(ConfigMapData(cm)) }

// ReduceSecret does the same for a Secret. Of its values nothing is kept, however short.
func ReduceSecret(s *corev1.Secret) Contents {
	out := reduce(SecretData(s))
	for key, k := range out.Keys {
		out.Keys[key] = Content{Targets: k.Targets, Long: true}
	}
	return out
}

func reduce(data []Datum) Contents {
	out := Contents{Keys: make(map[string]Content, len(data))}
	for _, d := range data {
		k := Content{Targets: dedupe(dataTargets(d.Key, d.Value))}
		if v := strings.TrimRight(d.Value, "\r\n"); len(v) <= maxHost && !strings.Contains(v, "\n") {
			k.Short = v
		} else {
			k.Long = true
		}
		out.Keys[d.Key] = k
	}
	return out
}

func dedupe(targets []Target) []Target {
	slices.SortFunc(targets, func(a, b Target) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind)) })
	return slices.Compact(targets)
}

// ConfigMapData returns the keys of a ConfigMap, sorted.
func ConfigMapData(cm *corev1.ConfigMap) []Datum {
	out := make([]Datum, 0, len(cm.Data)+len(cm.BinaryData))
	for _, k := range slices.Sorted(maps.Keys(cm.Data)) {
		out = append(out, Datum{Path: fmt.Sprintf("data[%q]", k), Key: k, Value: cm.Data[k]})
	}
	for _, k := range slices.Sorted(maps.Keys(cm.BinaryData)) {
		out = append(out, Datum{Path: fmt.Sprintf("binaryData[%q]", k), Key: k, Value: string(cm.BinaryData[k])})
	}
	return out
}

// helmRelease is the type of the Secrets in which Helm keeps rendered manifests: they are a record of what was
// applied and judged then, and no workload reads them.
const helmRelease = "helm.sh/release.v1"

// SecretData returns the keys of a Secret, sorted, but for the record that Helm keeps of a release.
func SecretData(s *corev1.Secret) []Datum {
	out := make([]Datum, 0, len(s.Data)+len(s.StringData))
	for _, k := range slices.Sorted(maps.Keys(s.Data)) {
		if s.Type == helmRelease && k == "release" {
			continue
		}
		out = append(out, Datum{Path: fmt.Sprintf("data[%q]", k), Key: k, Value: string(s.Data[k]), Secret: true})
	}
	for _, k := range slices.Sorted(maps.Keys(s.StringData)) {
		out = append(out, Datum{Path: fmt.Sprintf("stringData[%q]", k), Key: k, Value: s.StringData[k], Secret: true})
	}
	return out
}
