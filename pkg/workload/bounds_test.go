package workload_test

import (
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/budget"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// A hostile script must not cost the server its stack, its memory or its time: a stack that overflows ends the process, and
// nothing can recover it.
func TestCallsStayBounded(t *testing.T) {
	cases := map[string]struct{ reason, script string }{
		"brackets":            {"the parser calls itself for each", strings.Repeat("((", 100_000)},
		"substitutions":       {"the parser calls itself for each", strings.Repeat(`"$(`, 50_000)},
		"conditions":          {"the parser calls itself for each", strings.Repeat("if ", 20_000)},
		"doubling":            {"each variable repeats the one before twice", "a=xxxxxxxx;" + strings.Repeat("a=$a$a;", 60)},
		"conditions in lines": {"the parser calls itself for each", strings.Repeat("if\n", 20_000)},
		"arithmetic":          {"the parser calls itself for each operator", "$((" + strings.Repeat("!", 900_000)},
		"functions":           {"the parser calls itself for each", strings.Repeat("a() ", 10_000)},
		"appending":           {"each assignment copies all that went before", strings.Repeat("a+=x;", 12_000)},
		"a loop of loops":     {"each body is read for each value", strings.Repeat("for a in 1 2 3 4 5 6 7 8; do ", 30) + "b" + strings.Repeat("; done", 30)},
		"a long one":          {"what is longer than any script is read line by line", strings.Repeat("echo x\n", 100_000)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			grown := 0
			for c := range workload.Calls([]string{"sh", "-c", tc.script + "\npsql -h orders.prod.db.example.com"}, func(string) (string, bool) { return "", false }, budget.New()) {
				for _, w := range append(c.Words, c.Texts...) {
					grown += len(w)
				}
			}
			if limit := 8 << 20; grown > limit {
				t.Errorf("%d bytes of words, want at most %d: %s", grown, limit, tc.reason)
			}
		})
	}
}

// A script that is read line by line is still read.
func TestNothingHidesBehindABound(t *testing.T) {
	script := "(\n" + strings.Repeat("((", 1000) + "\npsql -h orders.prod.db.example.com\n"
	for c := range workload.Calls([]string{"sh", "-c", script}, func(string) (string, bool) { return "", false }, budget.New()) {
		if len(c.Words) == 3 && c.Words[0] == "psql" {
			return
		}
	}
	t.Error("the command behind the brackets was not found")
}

// The parser reports a script as broken only after what it has read exceeded a bound.
func TestABrokenScriptBehindABound(t *testing.T) {
	script := "sh -c 'sh -c \"echo " + strings.Repeat("x", 100_000) + "\"' <<E"
	b := budget.New()
	for range workload.Calls([]string{"sh", "-c", script}, func(string) (string, bool) { return "", false }, b) {
	}
	if b.Exceeded() == "" {
		t.Error("nothing was exceeded, want the statement to be too long to be read")
	}
}
