package estate

import (
	"iter"
	"slices"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// needles tells of most texts, in one pass and without reading them by any grammar, that they name nothing declared: of each name that is
// declared, one word must stand in every spelling of it. The word is the rarest of the estate, and of equally rare ones the longest.
type needles struct {
	// words are their hashes, sorted, each with its anchors in place of the lowest bits. bits is a filter before them: they are more than a
	// cache of the processor holds.
	words []uint64
	bits  []uint64
	// off is true if a declared name has no word of its own, so that nothing can be told.
	off bool
}

// anchor says what a word is one of.
type anchor uint8

const (
	// ofName is a word of a host, a resource, a Service, a path or a role of production.
	ofName anchor = 1 << iota
	// ofNamespace is the name of a namespace of production, which means nothing within that namespace.
	ofNamespace
	// ofOtherName and ofOtherNamespace are the same of the other tiers, which only production minds.
	ofOtherName
	ofOtherNamespace
)

// anchorBits are the bits of a hash in which its anchors stand.
const anchorBits = uint64(ofName | ofNamespace | ofOtherName | ofOtherNamespace)

// filterBits is how many bits of the filter there are for each word.
const filterBits = 16

// compileNeedles is called last: it looks at everything else.
func (e *Estate) compileNeedles() {
	for h := range e.network.hosts {
		e.stores.print(reference.Target{Name: h})
	}
	slices.Sort(e.stores.prints)
	count, n := make(map[uint64]int32, len(e.stores.hosts)), 0
	for name := range e.namesToFind() {
		n++
		for w := range reference.Words(name) {
			count[reference.HashWord(w)]++
		}
	}
	size := 1
	for size*64 < n*filterBits {
		size *= 2
	}
	e.needles = needles{words: make([]uint64, 0, n+len(e.namespaces)+len(e.claims.names.exact)), bits: make([]uint64, size)}
	for name, production := range e.namesToFind() {
		best, rarest := "", int32(0)
		for w := range reference.Words(name) {
			if c := count[reference.HashWord(w)]; best == "" || c < rarest || c == rarest && len(w) > len(best) {
				best, rarest = w, c
			}
		}
		if best == "" {
			e.needles.off = true
			return
		}
		e.needles.add(best, ofTier(production, ofName, ofOtherName))
	}
	for ns, m := range e.namespaces {
		e.needles.add(ns, ofTier(m.Tier == v1alpha1.TierProduction, ofNamespace, ofOtherNamespace))
	}
	for ns := range e.claims.names.exact {
		e.needles.add(ns, ofTier(e.NamespaceOrName(ns).Tier == v1alpha1.TierProduction, ofNamespace, ofOtherNamespace))
	}
	e.needles.sort()
}

func ofTier(production bool, its, others anchor) anchor {
	if production {
		return its
	}
	return others
}

func (n *needles) add(word string, a anchor) {
	h := reference.HashWord(word)
	n.words = append(n.words, h&^anchorBits|uint64(a))
	word64, mask := n.probe(h)
	*word64 |= mask
}

// sort joins the anchors of words that were added several times.
func (n *needles) sort() {
	slices.Sort(n.words)
	joined := n.words[:0]
	for _, w := range n.words {
		if last := len(joined) - 1; last >= 0 && joined[last]&^anchorBits == w&^anchorBits {
			joined[last] |= w & anchorBits
			continue
		}
		joined = append(joined, w)
	}
	n.words = joined
}

// anchors returns what a word is one of, by its hash.
func (n *needles) anchors(h uint64) anchor {
	bits, mask := n.probe(h)
	if *bits&mask != mask {
		return 0
	}
	i, _ := slices.BinarySearch(n.words, h&^anchorBits)
	if i == len(n.words) || n.words[i]&^anchorBits != h&^anchorBits {
		return 0
	}
	return anchor(n.words[i] & anchorBits)
}

// probe returns the word of the filter that a hash has two bits in, and the two.
func (n *needles) probe(h uint64) (word *uint64, mask uint64) {
	return &n.bits[h>>16&uint64(len(n.bits)-1)], 1<<(h&63) | 1<<(h>>6&63)
}

// namesToFind yields, of everything declared or known that a text may name, the part that stands in each of its spellings, and whether
// it may lead to production.
func (e *Estate) namesToFind() iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		for _, owned := range []map[string][]Owner{e.stores.hosts, e.stores.wildcards, e.stores.instances, e.stores.resources, e.stores.services} {
			for name, owners := range owned {
				if !yield(name[strings.LastIndexAny(name, ":/")+1:], production(owners)) {
					return
				}
			}
		}
		for h := range e.network.hosts {
			if !yield(h, true) {
				return
			}
		}
		for s, service := range e.services {
			if service.External != "" && !yield(s[strings.IndexByte(s, '/')+1:], true) {
				return
			}
		}
		for _, set := range []*globSet[Owner]{&e.stores.credentials.paths, &e.stores.credentials.roles} {
			set.all(func(g v1alpha1.Glob, o Owner) { yield(literal(string(g)), o.Tier() == v1alpha1.TierProduction) })
		}
	}
}

// production reports whether one of the owners is of that tier.
func production(owners []Owner) bool {
	return slices.ContainsFunc(owners, func(o Owner) bool { return o.Tier() == v1alpha1.TierProduction })
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

// MayName reports whether a text may name anything that matters, seen from a namespace. It never says no wrongly of a text that
// reference.Plain calls plain.
func (e *Estate) MayName(from string) func(word string, hash uint64, dotted bool) bool {
	n := &e.needles
	globs := len(e.claims.names.lengths) > 0
	names, namespaces := ofName, ofNamespace
	if e.Minds(from, v1alpha1.TierNonProduction) {
		names, namespaces = names|ofOtherName, namespaces|ofOtherNamespace
	}
	return func(word string, hash uint64, dotted bool) bool {
		if n.off {
			return true
		}
		if a := n.anchors(hash); a&names != 0 || a&namespaces != 0 && !strings.EqualFold(word, from) {
			return true
		}
		return globs && dotted && e.ClaimsName(strings.ToLower(word))
	}
}
