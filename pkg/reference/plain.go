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

// Words yields the words of a text, each with its hash.
func Words(text string) iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for i := 0; i < len(text); {
			if !inWord(text[i]) {
				i++
				continue
			}
			begin, h := i, uint64(hashOffset)
			for ; i < len(text) && inWord(text[i]); i++ {
				h = (h ^ uint64(lower(text[i]))) * hashPrime
			}
			if !yield(text[begin:i], h) {
				return
			}
		}
	}
}

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
		w := wordAt(text, i)
		i = w.end
		if r.telling(&w) {
			return true
		}
	}
	return false
}

// wordAt returns the word that begins at an index.
func wordAt(text string, begin int) textWord {
	w := textWord{text: text, begin: begin, end: begin, hash: hashOffset, numeric: true}
	for ; w.end < len(text) && inWord(text[w.end]); w.end++ {
		c := text[w.end]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
			w.upper = true
		}
		w.numeric = w.numeric && c >= '0' && c <= '9'
		w.hash = (w.hash ^ uint64(c)) * hashPrime
	}
	return w
}

// textWord is the word text[begin:end].
type textWord struct {
	text       string
	begin, end int
	hash       uint64
	// numeric and upper: it consists of digits, and it holds letters in upper case.
	numeric, upper bool
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

// telling reports whether a word may be of something declared, or says that what stands beside it is.
func (r *reader) telling(t *textWord) bool {
	if t.numbers() || t.encodes() {
		return true
	}
	w, h := t.text[t.begin:t.end], t.hash
	if w[0] == '-' {
		w = strings.TrimLeft(w, "-")
		if t.end-t.begin == len(w)+1 && len(w) > 1 && r.word(w[1:], HashWord(w[1:]), true) { // -hHOST and -nNAMESPACE
			return true
		}
		h = HashWord(w)
	}
	if r.word(w, h, t.begin > 0 && t.text[t.begin-1] == '.' || t.end < len(t.text) && t.text[t.end] == '/') {
		return true
	}
	if t.upper {
		w = strings.ToLower(w)
	}
	return marks(w)
}

// marks reports whether a word in lower case says that what stands beside it has a meaning of its own: the command lines of clients of
// clusters, clouds and stores, and the spellings of single products.
func marks(w string) bool {
	if len(w) < 2 || len(w) > maxMark {
		return false
	}
	return clientOf(w) != noClient || strings.HasSuffix(w, "namespace") || strings.HasSuffix(w, "namespaces")
}

// numbers reports whether a word may be of an address, in any spelling of one.
func (t *textWord) numbers() bool {
	text, begin := t.text, t.begin
	w := text[begin:t.end]
	if t.numeric {
		return len(w) >= len("16777216") || begin > 1 && text[begin-1] == '.' && digits(text[begin-2:begin-1]) || t.between(':')
	}
	if len(w) < 3 {
		return t.between(':')
	}
	first, second := lower(w[0]), lower(w[1])
	return first == '0' && second == 'x' || first == 'i' && second == 'p' && w[2] == '-' || t.between(':')
}

// between reports whether a sign stands on both sides, as in an address of IPv6.
func (t *textWord) between(sign byte) bool {
	return t.begin > 0 && t.text[t.begin-1] == sign && t.end < len(t.text) && t.text[t.end] == sign
}

// encodes reports whether a text in base64 begins here.
func (t *textWord) encodes() bool {
	if t.begin > 0 && encodingSign(t.text[t.begin-1]) {
		return false // it began before
	}
	run := t.text[t.begin:t.end]
	if t.end < len(t.text) && encodingSign(t.text[t.end]) {
		run = encodedAt(t.text, t.begin)
	}
	return len(run) >= minWrapped && unwrapped(run) != ""
}

// encodingSign reports whether a character is one of base64 that no word holds.
func encodingSign(c byte) bool { return c == '+' || c == '/' }

// encodedAt returns the text in base64 that begins at an index, if what stands there is one.
func encodedAt(text string, begin int) string {
	end := begin
	for end < len(text) && (inWord(text[end]) || encodingSign(text[end])) {
		end++
	}
	return text[begin:end]
}

// maxMark is the longest word that marks anything.
const maxMark = 64
