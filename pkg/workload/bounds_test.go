package workload_test

import (
	"slices"
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

// A hundred brackets within each other are parsed, and more are read line by line, where nobody knows variables.
func TestBracketsThatAreParsed(t *testing.T) {
	for n, want := range map[int]string{100: "psql | example.com", 101: "psql | $DOMAIN"} {
		script := strings.Repeat("( ", n) + "psql $DOMAIN" + strings.Repeat(" )", n)
		if got := calls(script); !slices.Contains(got, want) {
			t.Errorf("in %d brackets: %v, want %s", n, got, want)
		}
	}
}

// The parser makes a small tree of each word, and the body of a loop is read for each value.
func TestWhatAScriptCosts(t *testing.T) {
	spent := func(script string) *budget.Budget {
		b := budget.New()
		for range workload.Calls([]string{"sh", "-c", script}, environment, b) {
		}
		return b
	}
	if got := spent(strings.Repeat("a ", 1000)).Units(); got < 2000+1000*16 {
		t.Errorf("a thousand words cost %d units, want sixteen for each at least, beside one for each byte", got)
	}
	body := "echo " + strings.Repeat("x", 994) + ";"                                // a thousand bytes
	for values, want := range map[int]budget.Limit{1049: "", 1050: budget.Growth} { // 1048 kB more than the body itself, and 1049
		if got := spent("for i in" + strings.Repeat(" x", values) + "; do " + body + " done").Exceeded(); got != want {
			t.Errorf("a body of a kilobyte for %d values: too much is %q, want %q", values, got, want)
		}
	}
}

// What is read line by line is still read.
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
