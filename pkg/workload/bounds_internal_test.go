package workload

import (
	"errors"
	"strings"
	"testing"
)

func TestNesting(t *testing.T) {
	for script, want := range map[string]int{
		"": 0, "a b": 0, "(a)": 1, "(a) (b)": 1, "((a))": 2, "a $(b $(c))": 2, "{ a; }": 1, "a[b[c]]": 2, ")))(": 1,
		"if a; then b; fi": 1, "if a; then b; fi; if c; then d; fi": 1, "if a; then if b; then c; fi; fi": 2, "if\nif\nif\na": 3, "for x in y; do while a; do b; done; done": 2,
		"if (a": 2, "! ! a": 2, "echo if if if": 0, "a; if b": 1, "a | if b": 1, "a && if b": 1, "fi; fi; if a": 1, "iffy; a": 0, "case x in y) a;; esac": 1, "time a": 1,
	} {
		if got := nesting(script); got != want {
			t.Errorf("in %q commands lie %d deep, want %d", script, got, want)
		}
	}
}

// A script holds no more words than countWords says, which also counts the parts that the parser makes of signs.
func TestCountWords(t *testing.T) {
	for script, want := range map[string]int{
		"": 1, "a": 1, "a b c": 3, "a  b": 2, "  ": 1, "\t\t": 3, "a=b": 2, `a "b"`: 4, // blanks, quotes and signs
		"a;b": 4, "a\nb": 4, ";;": 3, "(a)": 6, "a|b": 6, "a&&b": 9, // a command is a node of its own, and so is the sign that joins two
		"$a": 4, "$a$b": 7, "a $b c": 6, // a variable, its name and a part of a word
	} {
		if got := countWords(script); got != want {
			t.Errorf("%q counts for %d words, want %d", script, got, want)
		}
	}
}

// A text in YAML or JSON holds no more values, and no more open brackets, than its marks say.
func TestCountsOfATree(t *testing.T) {
	for text, want := range map[string][3]int{
		"": {0, 1, 1}, "a: 1\nb: [x, y]": {1, 6, 5}, `{"a:,": [1, 2]}`: {2, 7, 5}, "[{}]": {2, 3, 3}, "[] [] {}": {1, 4, 4}, "]][": {1, 2, 2}, "- a\n- *b": {0, 5, 1},
	} {
		if got := [3]int{brackets(text), countYAML(text), countJSON(text)}; got != want {
			t.Errorf("%q: brackets, values in YAML and in JSON %v, want %v", text, got, want)
		}
	}
}

// A statement may be as long as the bound, and is read no further beyond it.
func TestLongStatements(t *testing.T) {
	for read, want := range map[int]error{0: nil, maxStatement: nil, maxStatement + 1: errLong} {
		s := statements{Reader: strings.NewReader("x"), read: read}
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, want) {
			t.Errorf("after %d bytes: %v, want %v", read, err, want)
		}
	}
}
