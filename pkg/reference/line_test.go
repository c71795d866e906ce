package reference_test

import (
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// A denial names the line of a file: the first that spells the name as a whole, and not in a comment.
func TestLine(t *testing.T) {
	for text, want := range map[string]int{
		"a: 1\nhost: Orders.db.example.com\n":                                                 2,
		"# was orders.db.example.com\na: b\nurl: postgres://app@orders.db.example.com:5432/x": 3,
		"my-orders.db.example.com\norders.db.example.com-2\norders.db.example.com":            3,
		"orders.db.example.com":        0,
		"a\norders%2Edb.example.com\n": 0,
		"":                             0,
	} {
		r := reference.Reference{Target: reference.Target{Name: "orders.db.example.com"}, Text: text}
		if got := r.Line(); got != want {
			t.Errorf("%q: line %d, want %d", text, got, want)
		}
		r.Confidential = true
		if got := r.Line(); got != 0 {
			t.Errorf("%q out of a Secret: line %d, want none", text, got)
		}
	}
	r := reference.Reference{Target: reference.Target{Name: "a"}, Text: strings.Repeat("b\n", 1<<20) + strings.Repeat("aa", 1<<19)}
	if got := r.Line(); got != 0 {
		t.Errorf("line %d of a text that holds the name nowhere as a whole", got)
	}
}
