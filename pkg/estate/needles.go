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
	// words by their hash, each with its anchors. filter stands before them: they are more than a cache of the processor holds.
	words  layered
	filter []uint64
	// counts says how often each word stands in what is declared.
	counts counts
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

// filterBits is how many bits of the filter there are for each word.
const filterBits = 16

// compileNeedles is called last: it looks at everything else.
func (e *Estate) compileNeedles(in *Input) {
	for h := range e.network.hosts {
		e.stores.print(reference.Target{Name: h})
	}
	n := 0
	for range e.namesToFind() {
		n++
	}
	e.needles = makeNeedles(n, len(e.namespaces)+len(e.claims.names.exact))
	e.needles.counts = makeCounts(n)
	for name := range e.namesToFind() {
		in.yield(1)
		for _, h := range reference.Words(name) {
			e.needles.counts.add(h)
		}
	}
	for name, production := range e.namesToFind() {
		in.yield(1)
		if !e.needles.addRarest(name, ofTier(production, ofName, ofOtherName)) {
			e.needles.off = true
			return
		}
	}
	for ns, m := range e.namespaces {
		e.needles.add(ns, ofTier(m.Tier == v1alpha1.TierProduction, ofNamespace, ofOtherNamespace))
	}
	for ns := range e.claims.names.exact {
		e.needles.add(ns, ofTier(e.NamespaceOrName(ns).Tier == v1alpha1.TierProduction, ofNamespace, ofOtherNamespace))
	}
}

func makeNeedles(names, namespaces int) needles {
	size := 1
	for size*64 < names*filterBits {
		size *= 2
	}
	return needles{words: makeLayered(names + namespaces), filter: make([]uint64, size)}
}

func ofTier(production bool, its, others anchor) anchor {
	if production {
		return its
	}
	return others
}

// addRarest adds the rarest word of a name, and of equally rare ones the longest. It returns false if the name has no word.
func (n *needles) addRarest(name string, a anchor) bool {
	best, hash, rarest := "", uint64(0), uint8(0)
	for w, h := range reference.Words(name) {
		if c := n.counts.of(h); best == "" || c < rarest || c == rarest && len(w) > len(best) {
			best, hash, rarest = w, h, c
		}
	}
	if best != "" {
		n.addHash(hash, a)
	}
	return best != ""
}

func (n *needles) add(word string, a anchor) { n.addHash(reference.HashWord(word), a) }

func (n *needles) addHash(h uint64, a anchor) {
	n.words.add(h, uint64(a))
	word, mask := n.probe(h)
	*word |= mask
}

// anchors returns what a word is one of, by its hash.
func (n *needles) anchors(h uint64) anchor {
	if word, mask := n.probe(h); *word&mask != mask {
		return 0
	}
	return anchor(n.words.bits(h))
}

// probe returns the word of the filter that a hash has two bits in, and the two.
func (n *needles) probe(h uint64) (word *uint64, mask uint64) {
	return &n.filter[h>>16&uint64(len(n.filter)-1)], 1<<(h&63) | 1<<(h>>6&63)
}

// namesToFind yields, of everything declared or known that a text may name, the part that stands in each of its spellings, and whether
// it may lead to production.
func (e *Estate) namesToFind() iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		for at := range e.stores.tables {
			for name, owners := range e.stores.tables[at].all() {
				x := entry{place: place(at), name: name}
				if !yield(x.word(), production(owners)) {
					return
				}
			}
		}
		for h := range e.network.hosts {
			if !yield(reference.InEachSpelling(h), true) {
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
