package workload

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-dev/firebreak/pkg/budget"
)

func TestReadTrees(t *testing.T) {
	one := func(v any) []any { return []any{map[string]any{"a": v}} }
	for name, test := range map[string]struct {
		reason, text string
		want         []any
	}{
		"a number":                  {"numbers are those of JSON", "a: 1", one(1.0)},
		"a fraction":                {"numbers are those of JSON", "a: 1.5", one(1.5)},
		"a truth value":             {"it is one in JSON, too", "a: true", one(true)},
		"nothing":                   {"null is no text", "a: null", one(nil)},
		"a date":                    {"JSON has no dates", "a: 2026-11-28", one("2026-11-28")},
		"a merge":                   {"a key of its own wins", "a: {<<: {b: 1, c: 2}, c: 3}", one(map[string]any{"b": 1.0, "c": 3.0})},
		"a mark before a document":  {"nothing stands before it", "---\na: 1", one(1.0)},
		"a mark behind a document":  {"nothing stands behind it", "a: 1\n---", one(1.0)},
		"a parameter of a template": {"a number stands for it", "a: {{ .x }}-b", one("0-b")},
		"a line of a template":      {"it is left out", "{{- if .x }}\na: 1\n{{- end }}\n", one(1.0)},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, readTrees(test.text, budget.New())); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
	for name, marks := range map[string][2]string{"maps": {"{x: ", "}"}, "lists": {"[x, ", "]"}} {
		for n, want := range map[int]budget.Limit{128: "", 129: budget.Depth} {
			b := budget.New()
			if readTrees(strings.Repeat(marks[0], n)+"y"+strings.Repeat(marks[1], n), b); b.Exceeded() != want {
				t.Errorf("%d %s within each other: too much is %q, want %q", n, name, b.Exceeded(), want)
			}
		}
	}
}
