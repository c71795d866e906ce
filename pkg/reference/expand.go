package reference

import (
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/budget"
)

// expand replaces $(NAME) as the kubelet does: known names by their value, unknown ones left as they stand, and $$
// read as an escaped $. What the values add is paid by the budget; where that ends, so does the text.
func expand(s string, lookup func(string) (string, bool), b *budget.Budget) string {
	if !strings.Contains(s, "$") || !b.Spend(len(s)) {
		return s
	}
	e := expansion{text: s, close: -1}
	for i := 0; i < len(s); {
		next := strings.IndexByte(s[i:], '$')
		if next < 0 || i+next+1 == len(s) {
			e.b.WriteString(s[i:])
			break
		}
		e.b.WriteString(s[i : i+next])
		i += next
		value, n := e.dollar(i, lookup)
		if !b.Grow(max(0, len(value)-n)) {
			break
		}
		e.b.WriteString(value)
		i += n
	}
	return e.b.String()
}

type expansion struct {
	text string
	b    strings.Builder
	// close is where the last closing bracket was found that was looked for; the next one lies no nearer. len(text): there is
	// none any more.
	close int
}

// dollar reads what stands at a dollar, and says how many bytes of the text that is.
func (e *expansion) dollar(i int, lookup func(string) (string, bool)) (value string, n int) {
	switch e.text[i+1] {
	case '$':
		return "$", 2
	case '(':
		end := e.closing(i)
		if end == len(e.text) {
			return "$", 1
		}
		if v, ok := lookup(e.text[i+2 : end]); ok {
			return v, end + 1 - i
		}
		return e.text[i : end+1], end + 1 - i
	}
	return "$", 1
}

// closing returns the index of the first closing bracket behind i. The text is looked through once, however many are open.
func (e *expansion) closing(i int) int {
	if e.close < i {
		e.close = len(e.text)
		if end := strings.IndexByte(e.text[i:], ')'); end >= 0 {
			e.close = i + end
		}
	}
	return e.close
}
