package reference

import (
	"hash/maphash"
	"iter"
	"strings"
	"unicode/utf8"
)

// EndsWord reports whether a character divides words: labels of hosts, parts of paths, segments of resource names.
func EndsWord(c rune) bool { return c >= 0x80 || !inWord(byte(c)) }

func inWord(c byte) bool { return classes[c]&ofWord != 0 }

// The classes of characters.
const (
	ofWord uint8 = 1 << iota
	// upperCase and noDigit are letters in upper case, and what is no digit.
	upperCase
	noDigit
	// hides is a character that hides what stands in a text from a look at its words: escapes, variables, patterns, and letters that have
	// other spellings.
	hides
)

//nolint:gochecknoglobals // a table, of which each character of each text needs an entry
var classes = func() (out [256]uint8) {
	for c := range out {
		switch {
		case c >= '0' && c <= '9':
			out[c] = ofWord
		case c >= 'A' && c <= 'Z':
			out[c] = ofWord | upperCase | noDigit
		case c >= 'a' && c <= 'z', c == '-', c == '_':
			out[c] = ofWord | noDigit
		case c >= utf8.RuneSelf, strings.IndexByte("%\\$*`{[", byte(c)) >= 0:
			out[c] = hides
		}
	}
	return out
}()

// Words yields the words of a text, each with its hash.
func Words(text string) iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for i := 0; i < len(text); {
			if !inWord(text[i]) {
				i++
				continue
			}
			w := wordAt(text, i)
			if i = w.end; !yield(text[w.begin:w.end], w.hash) {
				return
			}
		}
	}
}

//nolint:gochecknoglobals // nobody outside of the process may know which words share a hash
var hashSeed = maphash.MakeSeed()

// HashWord hashes a word, in lower case. The hash means nothing in another process.
func HashWord(w string) uint64 {
	for i := range len(w) {
		if classes[w[i]]&upperCase != 0 {
			return hashUpper(w)
		}
	}
	return maphash.String(hashSeed, w)
}

func hashUpper(w string) uint64 {
	if len(w) > maxMark {
		return maphash.String(hashSeed, strings.ToLower(w))
	}
	var low [maxMark]byte
	return maphash.Bytes(hashSeed, inLower(&low, w))
}

// inLower writes a short word in lower case.
func inLower(low *[maxMark]byte, w string) []byte {
	for i := range len(w) {
		low[i] = lower(w[i])
	}
	return low[:len(w)]
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
			if classes[c]&hides != 0 || c == ':' && i+1 < len(text) && text[i+1] == ':' { // an address of IPv6
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
	end, all := begin, uint8(0)
	for ; end < len(text); end++ {
		c := classes[text[end]]
		if c&ofWord == 0 {
			break
		}
		all |= c
	}
	w := textWord{text: text, begin: begin, end: end, numeric: all&noDigit == 0, upper: all&upperCase != 0}
	if w.upper {
		w.hash = hashUpper(text[begin:end])
	} else {
		w.hash = maphash.String(hashSeed, text[begin:end])
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
	return marks(w, t.upper)
}

// marks reports whether a word says that what stands beside it has a meaning of its own: the command lines of clients of clusters, clouds
// and stores, and the spellings of single products.
func marks(w string, upper bool) bool {
	if len(w) < 2 || len(w) > maxMark {
		return false
	}
	if last := lower(w[len(w)-1]); (last == 'e' || last == 's') && (endsIn(w, "namespace") || endsIn(w, "namespaces")) {
		return true
	}
	if len(w) > maxClient {
		return false
	}
	if !upper {
		return clientOf(w) != noClient
	}
	var low [maxMark]byte
	return clientOf(string(inLower(&low, w))) != noClient
}

func endsIn(w, end string) bool {
	return len(w) >= len(end) && strings.EqualFold(w[len(w)-len(end):], end)
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
	return len(run) >= minWrapped && decodes(run) != ""
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

// maxClient is the longest name of a client.
const maxClient = len("kubectl-firebreak")
