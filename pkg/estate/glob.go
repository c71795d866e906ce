package estate

import (
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

// globSet finds the entries whose glob matches a name: exact names by map, the others one by one.
type globSet[T comparable] struct {
	exact map[string][]T
	globs []globEntry[T]
}

type globEntry[T any] struct {
	glob  v1alpha1.Glob
	value T
}

func (s *globSet[T]) add(g v1alpha1.Glob, v T) {
	if strings.ContainsAny(string(g), "*?") {
		s.globs = append(s.globs, globEntry[T]{g, v})
		return
	}
	if s.exact == nil {
		s.exact = map[string][]T{}
	}
	s.exact[string(g)] = append(s.exact[string(g)], v)
}

func (s *globSet[T]) each(name string, f func(T)) {
	for _, v := range s.exact[name] {
		f(v)
	}
	for _, e := range s.globs {
		if Match(e.glob, name) {
			f(e.value)
		}
	}
}
