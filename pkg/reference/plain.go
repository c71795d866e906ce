package reference

import (
	"iter"
	"strings"
)

// EndsWord reports whether a character divides words: labels of hosts, parts of paths, segments of resource names.
func EndsWord(c rune) bool { return c >= 0x80 || !inWord(byte(c)) }

func inWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// Words yields the words of a text.
func Words(text string) iter.Seq[string] { return strings.FieldsFuncSeq(text, EndsWord) }

const (
	hashOffset = 14695981039346656037
	hashPrime  = 1099511628211
)

// HashWord hashes a word, in lower case (FNV-1a).
func HashWord(w string) uint64 {
	h := uint64(hashOffset)
	for i := range len(w) {
		h = (h ^ uint64(lower(w[i]))) * hashPrime
	}
	return h
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// mayName reports whether reading a text could find anything. It says no only of a plain text none of whose words is one of a declared
// name's, and never wrongly: a test compares the readings with and without it.
func (r *reader) mayName(text string) bool {
	if r.word == nil {
		return true
	}
	if !r.spend(text) {
		return false
	}
	for i := 0; i < len(text); {
		c := text[i]
		if !inWord(c) {
			if odd(c) || c == ':' && i+1 < len(text) && text[i+1] == ':' { // an address of IPv6
				return true
			}
			i++
			continue
		}
		begin, h, numeric := i, uint64(hashOffset), true
		for i < len(text) && inWord(text[i]) {
			c = lower(text[i])
			numeric = numeric && c >= '0' && c <= '9'
			h = (h ^ uint64(c)) * hashPrime
			i++
		}
		if r.telling(text, begin, i, h, numeric) {
			return true
		}
	}
	return false
}

// odd reports whether a character hides what stands in a text from a look at its words: escapes, variables, patterns, and letters that
// have other spellings.
func odd(c byte) bool {
	switch c {
	case '%', '\\', '$', '*', '`', '{', '[':
		return true
	}
	return c >= 0x80
}

// telling looks at the word text[begin:end].
func (r *reader) telling(text string, begin, end int, h uint64, numeric bool) bool {
	w := text[begin:end]
	if numbers(text, begin, end, numeric) || encodes(text, begin) {
		return true
	}
	if w[0] == '-' {
		w = strings.TrimLeft(w, "-")
		if end-begin == len(w)+1 && len(w) > 1 && r.word(w[1:], HashWord(w[1:]), true) { // -hHOST and -nNAMESPACE
			return true
		}
		h = HashWord(w)
	}
	return marked(w) || r.word(w, h, begin > 0 && text[begin-1] == '.' || end < len(text) && text[end] == '/')
}

// numbers reports whether the word text[begin:end] may be of an address, in any spelling of one.
func numbers(text string, begin, end int, numeric bool) bool {
	w := text[begin:end]
	if numeric {
		return len(w) >= len("16777216") || begin > 1 && text[begin-1] == '.' && digits(text[begin-2:begin-1]) || between(text, begin, end, ':')
	}
	if len(w) < 3 {
		return between(text, begin, end, ':')
	}
	first, second := lower(w[0]), lower(w[1])
	return first == '0' && second == 'x' || first == 'i' && second == 'p' && w[2] == '-' || between(text, begin, end, ':')
}

// between reports whether a sign stands on both sides of text[begin:end], as in an address of IPv6.
func between(text string, begin, end int, sign byte) bool {
	return begin > 0 && text[begin-1] == sign && end < len(text) && text[end] == sign
}

// encodes reports whether a text in base64 begins at an index.
func encodes(text string, begin int) bool {
	if begin > 0 && (text[begin-1] == '+' || text[begin-1] == '/') {
		return false // it began before
	}
	run := encodedAt(text, begin)
	return len(run) >= minWrapped && unwrapped(run) != ""
}

// encodedAt returns the text in base64 that begins at an index, if what stands there is one.
func encodedAt(text string, begin int) string {
	end := begin
	for end < len(text) && (inWord(text[end]) || text[end] == '+' || text[end] == '/') {
		end++
	}
	return text[begin:end]
}

// marked reports whether a word says that what stands beside it has a meaning of its own: the command lines of clients of clusters, clouds and
// stores, and the spellings of single products.
func marked(w string) bool {
	if len(w) < 2 || len(w) > maxMark {
		return false
	}
	w = strings.ToLower(w)
	return mark(w) || clusterClient(w) || cloudClient(w) || storeClient(w) || strings.HasSuffix(w, "namespace") || strings.HasSuffix(w, "namespaces")
}

// maxMark is the longest word that marks anything.
const maxMark = 64
