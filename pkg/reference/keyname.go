package reference

import (
	"iter"
	"strings"
)

// cutKey splits key=value and --flag=value.
func cutKey(s string) (key, value string, ok bool) {
	key, value, ok = strings.Cut(s, "=")
	if !ok || key == "" {
		return "", "", false
	}
	if k, v, again := strings.Cut(value, "="); again && isKey(k) && strings.Trim(v, "=") != "" {
		return k, v, true
	}
	return strings.TrimLeft(key, "-"), value, true
}

func isKey(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '.', c == '-':
		default:
			return false
		}
	}
	return s != ""
}

func hostFlag(s string) bool {
	return len(s) > 1 && s[0] == '-' && !strings.Contains(s, "=") && hostHint(strings.TrimLeft(s, "-"))
}

// maxKeyName is the longest name of a key whose words are looked at.
const maxKeyName = 128

// nameWords yields the words of a name, in lower case: DB_HOST, db-host and dbHost are db and host.
func nameWords(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if len(name) > maxKeyName {
			return
		}
		start := 0
		for i := 1; i <= len(name); i++ {
			if i < len(name) && !boundary(name, i) {
				continue
			}
			if !yield(strings.ToLower(strings.Trim(name[start:i], "_-. $"))) {
				return
			}
			start = i
		}
	}
}

// hostHint reports whether a variable, flag or key of this name holds a host: one of its words says so. The name of a server may be
// anything, and so may what is made from a host, such as a prefix.
func hostHint(name string) bool {
	hinted, last, before := false, "", ""
	for w := range nameWords(name) {
		hinted = hinted || hostWord(w)
		before, last = last, w
	}
	return hinted && !ownWord(last) && (last != "name" && last != "names" || before == "host" || before == "dns")
}

// namesNoHost reports whether what a variable, flag or key of this name holds only looks like a host: a version is no address,
// and topics, tables and classes have dots too. A URL, host:port or full name in it is still one.
func namesNoHost(name string) bool {
	last, mute, hinted := "", false, false
	for last = range nameWords(name) {
		mute, hinted = mute || muteWord(last), hinted || hostWord(last)
	}
	return ownWord(last) || !hinted && (mute || nameWord(last))
}

// fullName reports whether a text is a host name of three labels or more, as only hosts have them: its last label is made of
// letters.
func fullName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if len(s) > maxHost || strings.Count(s, ".") < 2 {
		return false
	}
	s = strings.ToLower(s)
	return isName(s) && strings.Trim(s[strings.LastIndexByte(s, '.')+1:], "abcdefghijklmnopqrstuvwxyz") == ""
}

// boundary: a separator, or a capital after a small letter.
func boundary(s string, i int) bool {
	if i == 0 {
		return false
	}
	c, p := s[i], s[i-1]
	return c == '_' || c == '-' || c == '.' || c >= 'A' && c <= 'Z' && p >= 'a' && p <= 'z'
}
