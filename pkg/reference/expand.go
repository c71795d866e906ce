package reference

import "strings"

// expand replaces $(NAME) as the kubelet does: known names by their value, unknown ones left as they stand, and $$
// read as an escaped $.
func expand(s string, lookup func(string) (string, bool), b *budget) string {
	if !strings.Contains(s, "$") {
		return s
	}
	out := expanded(s, lookup)
	if b != nil && len(out) > len(s) && !b.spend(len(out)-len(s)) {
		return s
	}
	return out
}

// budget bounds what all expansions of one object may grow to together.
type budget struct {
	left     int
	exceeded bool
}

// maxGrowth is far more than any real template needs, and little enough to be read within a request.
const maxGrowth = 1 << 20

func (b *budget) spend(n int) bool {
	if b.left -= n; b.left < 0 {
		b.exceeded = true
	}
	return !b.exceeded
}

func expanded(s string, lookup func(string) (string, bool)) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '$' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		switch s[i+1] {
		case '$':
			b.WriteByte('$')
			i++
		case '(':
			end := strings.IndexByte(s[i:], ')')
			if end < 0 {
				b.WriteByte('$')
				continue
			}
			name := s[i+2 : i+end]
			if v, ok := lookup(name); ok {
				b.WriteString(v)
			} else {
				b.WriteString(s[i : i+end+1])
			}
			i += end
		default:
			b.WriteByte('$')
		}
		if b.Len() > maxExpanded {
			break
		}
	}
	return b.String()
}

// maxExpanded bounds what expansion may grow to: variables that double each other would otherwise cost the server
// its memory. No host lies behind a megabyte of text.
const maxExpanded = 1 << 20
