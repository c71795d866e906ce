package reference

import (
	"hash/fnv"
	"strings"
)

// Print is the fingerprint of a name that a text may hold by chance. Of most such names nobody has declared anything, so that a ConfigMap
// is remembered by their fingerprints, and read again where one of them is that of something declared.
type Print uint64

// Prints returns the fingerprints of a target: its own, and for a host those of the domains above it, by which wildcards are found.
func (t Target) Prints() []Print {
	out := []Print{t.Print()}
	if t.Kind != Host || t.Exact {
		return out
	}
	for i := range len(t.Name) {
		if t.Name[i] == '.' {
			out = append(out, printOf(t.Kind, "*"+t.Name[i:]))
		}
	}
	return out
}

// Print returns a target's own fingerprint.
func (t Target) Print() Print { return printOf(t.Kind, t.Name) }

func printOf(k Kind, name string) Print {
	h := fnv.New64a()
	_, _ = h.Write([]byte{byte(k)})
	_, _ = h.Write([]byte(name))
	return Print(h.Sum64())
}

// mayBeService reports whether a host may be that of a Service or a Pod, which no fingerprint tells.
func mayBeService(name string) bool {
	return strings.Count(name, ".") <= 2 || strings.Contains(name, ".svc") || strings.Contains(name, ".pod.") || strings.Contains(name, ".serviceaccount.")
}

// weak adds a target that a text may hold by chance: where nothing declared is known, its fingerprints alone.
func (r *reader) weak(out []Target, t Target) []Target {
	if r.prints == nil || t.Kind == Host && mayBeService(t.Name) {
		return r.keep(out, t)
	}
	if t.Name == "" || !r.budget.Spend(targetCost) {
		return out
	}
	for _, p := range t.Prints() {
		r.prints[p] = struct{}{}
	}
	return out
}
