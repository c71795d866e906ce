package reference

import (
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Position says how a text stands in its object.
type Position int

const (
	// Value is the value of a variable, key or field: it may be prose, in which a host is only a mention.
	Value Position = iota
	// Word is one word of a command line.
	Word
	// HostPosition is a place that only a host can stand in, such as the value of a host flag.
	HostPosition
)

// hosts returns the hosts that a text names.
func (r *reader) hosts(text, hint string, pos Position) []Target {
	if !r.spend(text) || !plausible(text, hint, pos) {
		return nil
	}
	text = escaped(text)
	if !isFile(text) {
		h := r.base | hushOf(hint)
		if strings.HasSuffix(text, "\n") || strings.HasPrefix(text, "# ") || isFileName(hint) { // a file of one line, which may be a comment
			line := ""
			for _, l := range uncommented(withoutPairs(text)) {
				line = l
			}
			if text = line; guardLine(text) {
				return nil
			} else if admits(text) {
				h |= hushNumbers
			}
		} else if exported(text) {
			h |= hushNumbers
		}
		return r.line(strings.TrimSpace(text), hint, pos, h, false)
	}
	var out []Target
	r.settings(text, func(_ *outline, h hush, l string) { out = append(out, r.line(l, "", pos, h, true)...) })
	return out
}

// settings calls read for each line of a file that may name something, but for comments and for lines of which everything is held back.
func (r *reader) settings(text string, read func(keys *outline, h hush, l string)) {
	var keys outline
	steady, goesOn := steadiness{text: text}, false
	all := strings.Contains(text, "amespace") || strings.Contains(text, "fromHost") // such a key may stand lines above
	for indent, l := range uncommented(withoutPairs(text)) {
		keys.line(indent, l)
		begins := !goesOn
		goesOn = strings.HasSuffix(l, `\`) // the next line is of the same command
		if !all && !r.mayName(l) || begins && guardLine(l) && steady.holds() {
			continue
		}
		if h := keys.hush(); h&hushAll == 0 {
			read(&keys, h, l)
		}
	}
}

// isFile reports whether a text has several lines.
func isFile(text string) bool { return strings.ContainsRune(strings.TrimRight(text, "\r\n"), '\n') }

// uncommented yields the lines of a text without what they say to people, and how far each is indented.
func uncommented(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		block, closed := false, -1
		if strings.Contains(text, "*/") { // which is found, or not, in a fraction of the time that the last one takes
			closed = strings.LastIndex(text, "*/")
		}
		at := 0
		for l := range strings.Lines(text) {
			at += len(l)
			indent := len(l) - len(strings.TrimLeft(l, " \t"))
			l = strings.TrimSpace(l)
			if block {
				_, after, ends := strings.Cut(l, "*/")
				if !ends {
					continue
				}
				l = strings.TrimSpace(after)
			}
			l = afterComment(l)
			block = at <= closed && opensBlock(l)
			if !block && !comment(l) && !yield(indent, withoutSlashes(beforeComment(l))) {
				return
			}
		}
	}
}

// opensBlock reports whether a line begins a comment of several lines. A pattern of files, such as /*.log, begins none.
func opensBlock(l string) bool {
	rest, ok := strings.CutPrefix(l, "/*")
	return ok && !strings.Contains(rest, "*/") && (rest == "" || strings.IndexByte(" \t*!", rest[0]) >= 0)
}

// beforeComment cuts off what a file says to people at the end of a line: what follows a # that stands behind a blank and in no
// quotes.
func beforeComment(l string) string {
	double, single := false, false
	for i := 0; i < len(l); i++ {
		switch l[i] {
		case '"':
			double = !double
		case '\'':
			single = !single
		case '#':
			if i > 0 && (l[i-1] == ' ' || l[i-1] == '\t') && !double && !single {
				return strings.TrimSpace(l[:i-1])
			}
		}
	}
	return l
}

// plausible skips the texts that are most frequent and can name no host, before any work is done on them.
func plausible(text, hint string, pos Position) bool {
	if text == "" {
		return false
	}
	return pos == HostPosition || hostHint(hint) || strings.ContainsAny(text, ".:@=/") || !ascii(text)
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// escaped reads the escapes of JSON that hide a host: \/, which some encoders write for every slash, and \u00XX.
func escaped(s string) string {
	if !strings.Contains(s, `\/`) && !strings.Contains(s, `\u00`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		rest := s[i:]
		switch {
		case strings.HasPrefix(rest, `\/`):
			continue
		case strings.HasPrefix(rest, `\u00`) && len(rest) >= 6:
			if c, err := strconv.ParseUint(rest[4:6], 16, 8); err == nil && c < utf8.RuneSelf {
				b.WriteByte(byte(c))
				i += 5
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// afterComment returns what follows a comment that ends on its own line.
func afterComment(l string) string {
	for open, end := range map[string]string{"<!--": "-->", "/*": "*/"} {
		if rest, ok := strings.CutPrefix(l, open); ok {
			if _, after, ok := strings.Cut(rest, end); ok {
				return strings.TrimSpace(after)
			}
		}
	}
	return l
}

func comment(l string) bool {
	for _, p := range []string{"#", ";", "// ", "//\t", "-- ", "<!--", "REM ", "rem ", ":: ", "! ", "%%"} {
		if strings.HasPrefix(l, p) {
			return true
		}
	}
	if rest, ok := strings.CutPrefix(l, "//"); ok && !strings.HasPrefix(rest, "/") {
		return !needle(rest[:indexAny(rest, "/ \t:")]) // //host/share is mounted
	}
	return l == "" || l == "--" // two dashes and a word are a flag
}

// line reads one line; file says that it is one of several, and h what its place holds back.
func (r *reader) line(s, hint string, pos Position, h hush, file bool) []Target {
	if key, _, ok := keyOf(s); ok && !file {
		h |= hushOf(strings.TrimLeft(key, "-"))
		if strings.HasPrefix(s[len(key):], "=") {
			h &= hushShort // of one pair among several
		}
	}
	if h&hushAll != 0 {
		return nil
	}
	sc := r.scanner(scanner{word: pos == Word || file, file: file, base: h, hush: h, text: s})
	defer r.done(sc)
	text := s
	s = withoutSelectors(unmarked(strings.TrimPrefix(s, "- "))) // an item of a list
	rest := sc.urls(s)
	shape := shapeOf(rest)
	if file && admits(text) {
		sc.base |= hushNumbers
	}
	sc.pos, sc.hint, sc.mute = pos, hostHint(hint), namesNoHost(hint) && pos != HostPosition
	if !sc.mute {
		sc.only, sc.list = shape.alone && rest == s, shape.hosts
	}
	sc.hush = h
	sc.hint, sc.site = sc.hint && !sc.mute, siteHint(hint)
	sc.read(rest, shape.first)
	return sc.out
}

// read reads the tokens of a line.
func (sc *scanner) read(line, first string) {
	toks := tokensOf(line)
	keyed, directive := false, hostWord(strings.ToLower(first[:min(len(first), maxHost)]))
	t, ok := toks.take()
	for i := 0; ok && sc.budget.Spend(tokenCost); i++ {
		next, more := toks.take()
		t.quoted = t.quoted || more && port(next.text)
		keyed = sc.token(t, keyed)
		if directive && (i == 0 || i == 1 && keyed) {
			keyed = true // a directive, as in nginx; in haproxy a name stands before the host
		}
		sc.before = t.text
		t, ok = next, more
	}
}

// tokenCost is what a token costs in units, beside its bytes.
const tokenCost = 4

// unmarked removes the anchors and tags that YAML allows before a value.
func unmarked(s string) string {
	if !strings.ContainsAny(s, "&!") {
		return s
	}
	var b strings.Builder
	for {
		i := strings.IndexAny(s, "&!")
		if i < 0 || i > 0 && s[i-1] != ' ' {
			break
		}
		mark, rest, ok := strings.Cut(s[i:], " ")
		if !ok || len(mark) < 2 || i > 0 && !strings.HasSuffix(strings.TrimRight(s[:i], " "), ":") {
			break
		}
		b.WriteString(s[:i])
		s = rest
	}
	b.WriteString(s)
	return b.String()
}

// port: a host and its port may be two words, as in redis.conf.
func port(s string) bool { return len(s) >= 2 && len(s) <= 5 && digits(s) }
