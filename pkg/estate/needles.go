package estate

import (
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// needles tells of most texts, in one pass and without reading them by any grammar, that they name nothing declared: of each name that is
// declared, one word must stand in every spelling of it. The word is the rarest of the estate, and of equally rare ones the longest.
type needles struct {
	// words by their hash. bits is a filter before the map, which is larger than a cache.
	words map[uint64]anchor
	bits  []uint64
	// off is true if a declared name has no word of its own, so that nothing can be told.
	off bool
}

// anchor says what a word is one of.
type anchor uint8

const (
	// ofName is a word of a host, a resource, a Service, a path or a role.
	ofName anchor = 1 << iota
	// ofNamespace is the name of a namespace, which means nothing within that namespace.
	ofNamespace
)

// filterBits is how many bits of the filter there are for each word.
const filterBits = 64

// compileNeedles is called last: it looks at everything else.
func (e *Estate) compileNeedles() {
	for h := range e.network.hosts {
		e.stores.print(reference.Target{Name: h})
	}
	names := e.namesToFind()
	count := make(map[uint64]int32, len(names))
	for _, n := range names {
		for w := range reference.Words(n) {
			count[reference.HashWord(w)]++
		}
	}
	size := 1
	for size*64 < len(names)*filterBits {
		size *= 2
	}
	e.needles = needles{words: make(map[uint64]anchor, len(names)+len(e.namespaces)), bits: make([]uint64, size)}
	for _, n := range names {
		best, rarest := "", int32(0)
		for w := range reference.Words(n) {
			if c := count[reference.HashWord(w)]; best == "" || c < rarest || c == rarest && len(w) > len(best) {
				best, rarest = w, c
			}
		}
		if best == "" {
			e.needles.off = true
			return
		}
		e.needles.add(best, ofName)
	}
	for ns := range e.namespaces {
		e.needles.add(ns, ofNamespace)
	}
	for ns := range e.claims.names.exact {
		e.needles.add(ns, ofNamespace)
	}
}

func (n *needles) add(word string, a anchor) {
	h := reference.HashWord(word)
	n.words[h] |= a
	n.bits[h/64%uint64(len(n.bits))] |= 1 << (h % 64)
}

// namesToFind returns, of everything declared or known that a text may name, the part that stands in each of its spellings.
func (e *Estate) namesToFind() []string {
	var out []string
	for h := range e.stores.hosts {
		out = append(out, h)
	}
	for h := range e.stores.wildcards {
		out = append(out, h)
	}
	for h := range e.network.hosts {
		out = append(out, h)
	}
	for s := range e.stores.services {
		_, name, _ := strings.Cut(s, "/")
		out = append(out, name)
	}
	for s, service := range e.services {
		if service.External != "" {
			_, name, _ := strings.Cut(s, "/")
			out = append(out, name)
		}
	}
	for r := range e.stores.resources {
		out = append(out, r[strings.LastIndexAny(r, ":/")+1:])
	}
	for i := range e.stores.instances {
		out = append(out, i)
	}
	for _, set := range []*globSet[Owner]{&e.stores.credentials.paths, &e.stores.credentials.roles} {
		set.all(func(g v1alpha1.Glob, _ Owner) { out = append(out, literal(string(g))) })
	}
	return out
}

// literal returns the whole words of a glob, as a text: a word that a wildcard adjoins may go on.
func literal(glob string) string {
	if !strings.ContainsAny(glob, "*?") {
		return glob
	}
	parts := strings.FieldsFunc(glob, func(c rune) bool { return c == '*' || c == '?' })
	var b strings.Builder
	at := 0
	for _, p := range parts {
		at = strings.Index(glob[at:], p) + at
		begin, end := 0, len(p)
		if at > 0 {
			begin = strings.IndexFunc(p, reference.EndsWord)
		}
		if at+len(p) < len(glob) {
			end = strings.LastIndexFunc(p, reference.EndsWord)
		}
		at += len(p)
		if begin >= 0 && end > begin {
			b.WriteString(p[begin:end])
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// ReadEverything has every text read, whatever its words are. Tests compare what is found with and without that.
func (e *Estate) ReadEverything() { e.needles.off = true }

// MayName reports whether a text may name anything that is declared or known, seen from a namespace. It never says no wrongly of a text
// that reference.Plain calls plain.
func (e *Estate) MayName(from string) func(word string, hash uint64, dotted bool) bool {
	n := &e.needles
	globs := len(e.claims.names.lengths) > 0
	return func(word string, hash uint64, dotted bool) bool {
		if n.off {
			return true
		}
		if n.bits[hash/64%uint64(len(n.bits))]&(1<<(hash%64)) != 0 {
			if a := n.words[hash]; a&ofName != 0 || a&ofNamespace != 0 && !strings.EqualFold(word, from) {
				return true
			}
		}
		return globs && dotted && e.ClaimsName(strings.ToLower(word))
	}
}
