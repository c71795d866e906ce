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
	dotted := begin > 0 && text[begin-1] == '.'
	w := text[begin:end]
	switch {
	case numeric:
		if dotted && begin > 1 && text[begin-2] >= '0' && text[begin-2] <= '9' || len(w) >= len("16777216") {
			return true // an address
		}
	case w[0] == '0' && len(w) > 2 && lower(w[1]) == 'x', len(w) > 3 && lower(w[0]) == 'i' && lower(w[1]) == 'p' && w[2] == '-':
		return true
	}
	if begin > 0 && text[begin-1] == ':' && end < len(text) && text[end] == ':' {
		return true // an address of IPv6
	}
	if len(w) >= minEncoded && !strings.ContainsAny(w, "-_") || end < len(text) && (text[end] == '+' || text[end] == '=' && len(w) >= minEncoded) {
		if unwrapped(encodedAt(text, begin)) != "" {
			return true
		}
	}
	if w[0] == '-' {
		w = strings.TrimLeft(w, "-")
		if end-begin == len(w)+1 && len(w) > 1 && r.word(w[1:], HashWord(w[1:]), true) { // -hHOST and -nNAMESPACE
			return true
		}
		h = HashWord(w)
	}
	return marked(w) || r.word(w, h, dotted)
}

// encodedAt returns the text in base64 that begins at an index, if what stands there is one.
func encodedAt(text string, begin int) string {
	end := begin
	for end < len(text) && (inWord(text[end]) || text[end] == '+' || text[end] == '/' || text[end] == '=') {
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
