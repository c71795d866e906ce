package reference

import "strings"

// Line returns the number of the first line of the text that spells the target by its name; the first line is 1. It is 0 if the text has one
// line, if it came out of a Secret, or if the target stands there in another spelling.
func (r *Reference) Line() int {
	if r.Confidential || !isFile(r.Text) {
		return 0
	}
	name, n := strings.TrimPrefix(r.Name, "*."), 0
	for l := range strings.Lines(r.Text) {
		n++
		if l = strings.TrimSpace(l); !isComment(l) && spells(strings.ToLower(l), name) {
			return n
		}
	}
	return 0
}

func isComment(line string) bool {
	return strings.HasPrefix(line, "#") || strings.HasPrefix(line, "//") || strings.HasPrefix(line, ";")
}

// spells reports whether a name stands in a line as a whole.
func spells(line, name string) bool {
	for at := 0; name != ""; {
		i := strings.Index(line[at:], name)
		if i < 0 {
			return false
		}
		begin, end := at+i, at+i+len(name)
		if (begin == 0 || !inWord(line[begin-1])) && (end == len(line) || !inWord(line[end])) {
			return true
		}
		at = end
	}
	return false
}
