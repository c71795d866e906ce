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

// globSet finds the entries whose glob matches a name. Exact names are found by map; the others by the literal texts that
// they begin and end with, so that a lookup does not grow with their number, only with how many different lengths those
// texts have.
type globSet[T comparable] struct {
	exact map[string][]T
	ends  map[ends][]globEntry[T]
	// lengths of the ends, each pair once.
	lengths []endLengths
}

// ends are the literal texts before the first and behind the last wildcard of a glob.
type ends struct{ head, tail string }

type endLengths struct{ head, tail int }

type globEntry[T any] struct {
	glob  v1alpha1.Glob
	value T
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
	e := ends{text[:first], text[strings.LastIndexAny(text, "*?")+1:]}
	if s.ends == nil {
		s.ends = map[ends][]globEntry[T]{}
	}
	s.ends[e] = append(s.ends[e], globEntry[T]{g, v})
	if l := (endLengths{len(e.head), len(e.tail)}); !slices.Contains(s.lengths, l) {
		s.lengths = append(s.lengths, l)
	}
}

// entries calls f for every entry that matches, with its glob.
func (s *globSet[T]) entries(name string, f func(v1alpha1.Glob, T)) {
	for _, v := range s.exact[name] {
		f(v1alpha1.Glob(name), v)
	}
	for _, l := range s.lengths {
		if l.head+l.tail > len(name) {
			continue
		}
		for _, e := range s.ends[ends{name[:l.head], name[len(name)-l.tail:]}] {
			if Match(e.glob, name) {
				f(e.glob, e.value)
			}
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
	for _, entries := range s.ends {
		for _, e := range entries {
			f(e.glob, e.value)
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
