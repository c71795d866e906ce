package reference

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-dev/firebreak/pkg/budget"
)

// Contents is what is known of a ConfigMap or Secret: what each key names, not what it says.
type Contents struct {
	// Keys are sorted by their names. Most objects have few, so that a map would be most of what is remembered.
	Keys []Content `cbor:"1,keyasint,omitempty"`
	// Large is true for one that names more than is remembered. Then Keys is empty, and it must be read again where it is used.
	Large bool `cbor:"2,keyasint,omitempty"`
	// Prints are the fingerprints of what its values hold by chance. Where one of them is that of something declared, it must be read
	// again, too.
	Prints []Print `cbor:"3,keyasint,omitempty"`
}

// Content is what is known of one key.
type Content struct {
	// Name of the key.
	Name string `cbor:"1,keyasint,omitempty"`
	// Targets that its value names.
	Targets []Target `cbor:"2,keyasint,omitempty"`
	// Short is the value itself, if it is one line of at most 253 characters: such a value may be a host or a part
	// of one that $(VAR) puts together. Longer ones are not kept, and Long is true.
	Short string `cbor:"3,keyasint,omitempty"`
	Long  bool   `cbor:"4,keyasint,omitempty"`
}

// maxRemembered is how many bytes are remembered of one ConfigMap or Secret at most. contentSize and targetSize are what a key
// and a target cost beside their texts at most, printSize what a fingerprint does.
const (
	maxRemembered = 16 << 10
	contentSize   = 128
	targetSize    = 96
	printSize     = 8
)

// Remembered reads a ConfigMap once, so that it need not be kept. What it returns is of a bounded size.
func Remembered(cm *corev1.ConfigMap) Contents {
	return reduce(ConfigMapData(cm), printing(), maxRemembered)
}

// RememberedSecret does the same for a Secret. Of its values nothing is kept, however short.
func RememberedSecret(s *corev1.Secret) Contents {
	return secretive(reduce(SecretData(s), printing(), maxRemembered))
}

// ReadConfigMap reads a ConfigMap whole, for one request: only what is known, and within the budget.
func ReadConfigMap(cm *corev1.ConfigMap, b *budget.Budget, known func(Target) bool) Contents {
	return reduce(ConfigMapData(cm), newReader(b, known), math.MaxInt)
}

// ReadSecret does the same for a Secret.
func ReadSecret(s *corev1.Secret, b *budget.Budget, known func(Target) bool) Contents {
	return secretive(reduce(SecretData(s), newReader(b, known), math.MaxInt))
}

// printing returns a reader that keeps only the fingerprints of what is found by chance.
func printing() *reader {
	r := newReader(nil, nil)
	r.prints = map[Print]struct{}{}
	return r
}

func secretive(out Contents) Contents {
	for i, k := range out.Keys {
		out.Keys[i] = Content{Name: k.Name, Targets: k.Targets, Long: true}
	}
	return out
}

// Key returns what is known of a key, and whether there is one of that name.
func (c Contents) Key(name string) (Content, bool) {
	i, ok := slices.BinarySearchFunc(c.Keys, name, func(k Content, name string) int { return cmp.Compare(k.Name, name) })
	if !ok {
		return Content{}, false
	}
	return c.Keys[i], true
}

// names of all keys, sorted.
func (c Contents) names() []string {
	out := make([]string, len(c.Keys))
	for i := range c.Keys {
		out[i] = c.Keys[i].Name
	}
	return out
}

func reduce(data []DataKey, r *reader, limit int) Contents {
	out, size := Contents{Keys: make([]Content, 0, min(len(data), limit/contentSize+1))}, 0
	for _, d := range data {
		k := Content{Name: d.Key}
		for _, t := range dedupe(r.dataTargets(d.Key, d.Value)) {
			k.Targets = append(k.Targets, t)
			size += targetSize + len(t.Name) + len(t.Namespace)
		}
		r.at("", "", nil)
		if v := strings.TrimRight(d.Value, "\r\n"); len(v) <= maxHost && !strings.Contains(v, "\n") {
			k.Short = v
		} else {
			k.Long = true
		}
		if size += contentSize + len(d.Key) + len(k.Short); size+printSize*len(r.prints) > limit || r.budget.Exceeded() != "" {
			return Contents{Large: true}
		}
		out.Keys = append(out.Keys, k)
	}
	slices.SortFunc(out.Keys, func(a, b Content) int { return cmp.Compare(a.Name, b.Name) })
	out.Prints = slices.Sorted(maps.Keys(r.prints))
	return out
}

func dedupe(targets []Target) []Target {
	slices.SortFunc(targets, func(a, b Target) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind)) })
	return slices.Compact(targets)
}

// ConfigMapData returns the keys of a ConfigMap, sorted.
func ConfigMapData(cm *corev1.ConfigMap) []DataKey {
	out := make([]DataKey, 0, len(cm.Data)+len(cm.BinaryData))
	for _, k := range slices.Sorted(maps.Keys(cm.Data)) {
		out = append(out, DataKey{Path: fmt.Sprintf("data[%q]", k), Key: k, Value: cm.Data[k]})
	}
	for _, k := range slices.Sorted(maps.Keys(cm.BinaryData)) {
		out = append(out, DataKey{Path: fmt.Sprintf("binaryData[%q]", k), Key: k, Value: string(cm.BinaryData[k])})
	}
	return out
}

// What Helm keeps of a release: rendered manifests, a record of what was applied and judged then, which no workload reads. Its
// Secrets are known by their type, by how they are called, and by their content, which is gzip in base64.
const (
	helmRelease     = "helm.sh/release.v1"
	helmReleaseName = "sh.helm.release.v1."
	gzipInBase64    = "H4sI"
)

// HelmRelease reports whether a Secret is Helm's record of a release.
func HelmRelease(s *corev1.Secret) bool {
	record := s.Data["release"]
	if text, ok := s.StringData["release"]; ok {
		record = []byte(text)
	}
	return s.Type == helmRelease && strings.HasPrefix(s.Name, helmReleaseName) && bytes.HasPrefix(record, []byte(gzipInBase64))
}

// SecretData returns the keys of a Secret, sorted, but for the record that Helm keeps of a release.
func SecretData(s *corev1.Secret) []DataKey {
	out := make([]DataKey, 0, len(s.Data)+len(s.StringData))
	record := HelmRelease(s)
	for _, k := range slices.Sorted(maps.Keys(s.Data)) {
		if record && k == "release" {
			continue
		}
		out = append(out, DataKey{Path: fmt.Sprintf("data[%q]", k), Key: k, Value: string(s.Data[k]), Secret: true})
	}
	for _, k := range slices.Sorted(maps.Keys(s.StringData)) {
		if record && k == "release" {
			continue
		}
		out = append(out, DataKey{Path: fmt.Sprintf("stringData[%q]", k), Key: k, Value: s.StringData[k], Secret: true})
	}
	return out
}
