package reference

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// ConfigMap is what is kept of a ConfigMap: which hosts each key names, not what it says.
type ConfigMap struct {
	Keys map[string]ConfigKey
}

// ConfigKey is what is kept of one key.
type ConfigKey struct {
	// Hosts that its value names.
	Hosts []Host
	// Short is the value itself, if it is one line of at most 253 characters: such a value may be a host or a part
	// of one that $(VAR) puts together. Longer ones are not kept, and Long is true.
	Short string
	Long  bool
}

// ReduceConfigMap reads a ConfigMap once, so that its contents need not be kept.
func ReduceConfigMap(cm *corev1.ConfigMap) ConfigMap {
	out := ConfigMap{Keys: make(map[string]ConfigKey, len(cm.Data))}
	for _, d := range ConfigMapData(cm) {
		k := ConfigKey{Hosts: dedupe(Hosts(d.Value, d.Key, Value))}
		if v := strings.TrimRight(d.Value, "\r\n"); len(v) <= maxHost && !strings.Contains(v, "\n") {
			k.Short = v
		} else {
			k.Long = true
		}
		out.Keys[d.Key] = k
	}
	return out
}

func dedupe(hosts []Host) []Host {
	slices.SortFunc(hosts, func(a, b Host) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(hosts, func(a, b Host) bool { return a.Name == b.Name && a.Strong == b.Strong })
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

// SecretData returns the keys of a Secret, sorted; none for Helm's own release records.
func SecretData(s *corev1.Secret) []Datum {
	if s.Type == helmRelease {
		return nil
	}
	out := make([]Datum, 0, len(s.Data)+len(s.StringData))
	for _, k := range slices.Sorted(maps.Keys(s.Data)) {
		out = append(out, Datum{Path: fmt.Sprintf("data[%q]", k), Key: k, Value: string(s.Data[k]), Secret: true})
	}
	for _, k := range slices.Sorted(maps.Keys(s.StringData)) {
		out = append(out, Datum{Path: fmt.Sprintf("stringData[%q]", k), Key: k, Value: s.StringData[k], Secret: true})
	}
	return out
}
