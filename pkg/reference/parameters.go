package reference

import (
	"maps"
	"slices"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// parameter notes the last name of each {{.a.name}} in a text that is to be a namespace.
func (w *walker) parameter(text string) {
	for {
		_, rest, open := strings.Cut(text, "{{")
		inside, more, closed := strings.Cut(rest, "}}")
		if !open || !closed {
			return
		}
		if names := strings.FieldsFunc(inside, func(r rune) bool { return !isWordRune(r) }); len(names) > 0 {
			if w.parameters == nil {
				w.parameters = map[string]bool{}
			}
			w.parameters[names[len(names)-1]] = true
		}
		text = more
	}
}

func isWordRune(r rune) bool {
	return r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// fill reads the values of the parameters that stand in the place of a namespace as namespaces.
func (w *walker) fill(v any, p trail, key string, depth int) {
	if depth > maxNesting || !w.budget.Spend(tokenCost) {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			w.fill(v[k], trail{&p, k, 0}, k, depth+1)
		}
	case []any:
		for i, item := range v {
			w.fill(item, trail{&p, "", i}, key, depth+1)
		}
	case workload.Text:
		for _, tree := range v.Trees {
			w.fill(tree, p, key, depth+1)
		}
	case string:
		if w.parameters[key] {
			w.found(p, v, w.namespaceList(v))
		}
	}
}
