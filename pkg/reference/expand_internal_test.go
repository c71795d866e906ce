package reference

import (
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/budget"
)

func lookup(n string) (string, bool) {
	v, ok := map[string]string{"A": "a", "EMPTY": "", "DOLLAR": "$(A)", "NAME": "orders"}[n]
	return v, ok
}

func TestExpand(t *testing.T) {
	for name, test := range map[string]struct{ reason, text, want string }{
		"nothing to expand":    {"it stands as it is", "plain", "plain"},
		"a variable":           {"its value", "x$(A)y", "xay"},
		"two":                  {"both", "$(A).$(NAME)", "a.orders"},
		"an unknown one":       {"it is left as it stands", "$(NOBODY)", "$(NOBODY)"},
		"an empty one":         {"nothing stands in its place", "x$(EMPTY)y", "xy"},
		"an escaped one":       {"$$ is a dollar", "$$(A)", "$(A)"},
		"escaped twice":        {"two dollars", "$$$$(A)", "$$(A)"},
		"three dollars":        {"a dollar and a variable", "$$$(A)", "$a"},
		"values are not read":  {"what is put in is not expanded again", "$(DOLLAR)", "$(A)"},
		"no bracket":           {"a shell's variable, not the kubelet's", "$A", "$A"},
		"an open bracket":      {"it is no variable", "$(A", "$(A"},
		"a dollar at the end":  {"it stands as it is", "a$", "a$"},
		"a name with brackets": {"up to the first closing one", "$($(A))", "$($(A))"},
		"an empty name":        {"nobody is called so", "$()", "$()"},
		"within curly ones":    {"a shell's", "${A}", "${A}"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := expand(test.text, lookup, budget.New()); got != test.want {
				t.Errorf("%s: %q is %q, want %q", test.reason, test.text, got, test.want)
			}
		})
	}
}

// FuzzExpand: no text makes it panic, nothing is put in that nobody named, and dollars only ever become fewer.
func FuzzExpand(f *testing.F) {
	for _, text := range []string{"plain", "$(A)", "$$(A)", "$$$(A)", "$(", "$()", "$(A)$(EMPTY)$(NOBODY)", "$", "$$", "$($(A))", "\x00$(A)"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := expand(text, lookup, budget.New())
		if !strings.Contains(text, "$") && got != text {
			t.Errorf("%q is %q without a variable", text, got)
		}
		nobody := func(string) (string, bool) { return "", false }
		if plain := expand(text, nobody, budget.New()); strings.ReplaceAll(plain, "$", "") != strings.ReplaceAll(text, "$", "") {
			t.Errorf("%q is %q, though nobody knows a variable", text, plain)
		}
		if len(got) > 4*len(text)+8 {
			t.Errorf("%d characters became %d", len(text), len(got))
		}
	})
}
