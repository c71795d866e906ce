package estate

import (
	"slices"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Match reports whether a name matches a glob: `*` is any run of characters, `?` exactly one.
func Match(glob v1alpha1.Glob, name string) bool { return match(string(glob), name) }

// match walks both strings once, going back to the last `*` only: its cost is bounded by their product.
func match(p, s string) bool {
	star, mark, i, j := -1, 0, 0, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == s[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// MatchAny reports whether a name matches one of the globs.
func MatchAny(globs []v1alpha1.Glob, name string) bool {
	for _, g := range globs {
		if Match(g, name) {
			return true
		}
	}
	return false
}

// MatchServiceAccount reports whether namespace/name matches one of the globs, each half on its own: a `*` never
// reaches over the slash.
func MatchServiceAccount(globs []v1alpha1.ServiceAccountGlob, namespace, name string) bool {
	for _, g := range globs {
		ns, n, ok := strings.Cut(string(g), "/")
		if ok && match(ns, namespace) && match(n, name) {
			return true
		}
	}
	return false
}

// globSet finds the entries whose glob matches a name. Exact names are found by map; the others by their literal
// beginning or ending, whichever is longer, so that a lookup does not grow with their number.
type globSet[T comparable] struct {
	exact              map[string][]T
	prefixes, suffixes literals[T]
}

// literals are globs by a part of them that is literal.
type literals[T comparable] struct {
	byText map[string][]globEntry[T]
	// lengths of the texts, each once.
	lengths []int
}

type globEntry[T any] struct {
	glob  v1alpha1.Glob
	value T
}

func (l *literals[T]) add(text string, e globEntry[T]) {
	if l.byText == nil {
		l.byText = map[string][]globEntry[T]{}
	}
	l.byText[text] = append(l.byText[text], e)
	if !slices.Contains(l.lengths, len(text)) {
		l.lengths = append(l.lengths, len(text))
	}
}

func (s *globSet[T]) add(g v1alpha1.Glob, v T) {
	text := string(g)
	first := strings.IndexAny(text, "*?")
	if first < 0 {
		if s.exact == nil {
			s.exact = map[string][]T{}
		}
		s.exact[text] = append(s.exact[text], v)
		return
	}
	suffix := text[strings.LastIndexAny(text, "*?")+1:]
	if len(suffix) > first {
		s.suffixes.add(suffix, globEntry[T]{g, v})
		return
	}
	s.prefixes.add(text[:first], globEntry[T]{g, v})
}

// entries calls f for every entry that matches, with its glob.
func (s *globSet[T]) entries(name string, f func(v1alpha1.Glob, T)) {
	for _, v := range s.exact[name] {
		f(v1alpha1.Glob(name), v)
	}
	matching := func(entries []globEntry[T]) {
		for _, e := range entries {
			if Match(e.glob, name) {
				f(e.glob, e.value)
			}
		}
	}
	for _, n := range s.prefixes.lengths {
		if n <= len(name) {
			matching(s.prefixes.byText[name[:n]])
		}
	}
	for _, n := range s.suffixes.lengths {
		if n <= len(name) {
			matching(s.suffixes.byText[name[len(name)-n:]])
		}
	}
}

// all calls f for every entry.
func (s *globSet[T]) all(f func(v1alpha1.Glob, T)) {
	for name, values := range s.exact {
		for _, v := range values {
			f(v1alpha1.Glob(name), v)
		}
	}
	for _, l := range []literals[T]{s.prefixes, s.suffixes} {
		for _, entries := range l.byText {
			for _, e := range entries {
				f(e.glob, e.value)
			}
		}
	}
}

func (s *globSet[T]) each(name string, f func(T)) {
	s.entries(name, func(_ v1alpha1.Glob, v T) { f(v) })
}

// best returns the entries whose glob is the most precise.
func (s *globSet[T]) best(name string) []T {
	var out []T
	most := -1
	s.entries(name, func(g v1alpha1.Glob, v T) {
		switch p := precision(string(g)); {
		case p > most:
			most, out = p, []T{v}
		case p == most:
			out = append(out, v)
		}
	})
	return out
}
