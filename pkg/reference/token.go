package reference

import (
	"strings"
)

type token struct {
	text string
	// quoted: the token fills a pair of quotes, as a value in JSON or YAML does, or stands in tcp(host).
	quoted bool
	// listed: nothing but a comma divides it from the one before. joined: nothing but a comma or a bar does.
	listed, joined bool
	// continued: a comma stands between the token and the one before, and nothing else but quotes and blanks, and the token is no key.
	continued bool
	// tag: the token is the name of an XML element that begins.
	tag bool
	// opened: a quote stands between the token and the one before, with no backslash before it.
	opened bool
}

// separates reports whether a byte divides tokens: blanks, quotes and the punctuation that no host contains.
func separates(c byte) bool {
	switch c {
	case ' ', '\t', '\r', '\n', '"', '\'', '`', ',', ';', '|', '<', '>', '(', ')', '{', '}', '&', '?', '\x01':
		return true
	}
	return false
}

// tokens splits a line, one token after the other.
type tokens struct {
	line string
	// next is where the next token is looked for, last where the one before ended.
	next, last int
}

func tokensOf(line string) tokens { return tokens{line: line, last: -1} }

// take returns the next token; false at the end of the line.
func (t *tokens) take() (token, bool) {
	s, start := t.line, t.next
	opened := false
	for start < len(s) && separates(s[start]) {
		opened = opened || quotes(s, start)
		start++
	}
	if start == len(s) {
		t.next = start
		return token{}, false
	}
	end := start
	for end < len(s) && !separates(s[end]) {
		end++
	}
	out := token{text: s[start:end], quoted: quotedAt(s, start, end), opened: opened}
	if start > 0 {
		before, alone := s[start-1], t.last == start-1
		out.listed, out.joined = before == ',' && alone, (before == ',' || before == '|') && alone
		out.tag = before == '<' && end < len(s) && s[end] == '>'
		out.continued = t.last >= 0 && continues(s[t.last:start]) && !keyEnds(s[end:])
	}
	t.next, t.last = end, end
	return out, true
}

// quotes reports whether a quote stands at an index, with no backslash before it.
func quotes(s string, i int) bool {
	return (s[i] == '"' || s[i] == '\'') && (i == 0 || s[i-1] != '\\')
}

// continues reports whether what stands between two tokens goes on with a list.
func continues(gap string) bool {
	return strings.Contains(gap, ",") && strings.Trim(gap, ",\"' \t[]") == ""
}

// keyEnds reports whether a quoted key of JSON ends where a text begins.
func keyEnds(s string) bool {
	rest, ok := strings.CutPrefix(s, `"`)
	return ok && strings.HasPrefix(strings.TrimLeft(rest[:min(len(rest), 8)], " \t"), ":")
}

// shape says what a line is made of.
type shape struct {
	// alone: the line is one token. hosts: each of its tokens could be a host. first is its first token.
	alone, hosts bool
	first        string
}

func shapeOf(line string) shape {
	out, n := shape{hosts: true}, 0
	for t := tokensOf(line); ; n++ {
		tok, ok := t.take()
		if !ok {
			out.alone = n == 1
			return out
		}
		if n == 0 {
			out.first = tok.text
		}
		if out.hosts && !strings.ContainsAny(tok.text, ".:") {
			out.hosts = false
		}
	}
}

func quotedAt(s string, start, end int) bool {
	if start == 0 || end == len(s) {
		return false
	}
	before, after := s[start-1], s[end]
	return before == after && (after == '"' || after == '\'') ||
		before == '>' && after == '<' || // the text of an element
		after == ')' && (strings.HasSuffix(s[:start], "@tcp(") || strings.HasSuffix(s[:start], "@tcp6("))
}

// urls reads every scheme://authority of a line and returns the line without them.
func (sc *scanner) urls(s string) string {
	if !strings.Contains(s, "://") {
		return s
	}
	u := urls{scanner: sc, line: s, at: -1}
	for u.next < len(s) {
		i := strings.Index(s[u.next:], "://")
		if i < 0 {
			break
		}
		u.url(u.next + i)
	}
	u.rest.WriteString(s[u.next:])
	return u.rest.String()
}

// urls reads a line from one end to the other. What it has read it does not look at again.
type urls struct {
	*scanner
	line string
	next int
	rest strings.Builder
	// at is where the last @ was found that was looked for; the next one lies no nearer. len(line): there is none any more.
	at int
}

// url reads the URL whose colon stands at i.
func (u *urls) url(i int) {
	s, j := u.line, i
	for j > u.next && !separates(s[j-1]) && strings.IndexByte("=@[", s[j-1]) < 0 {
		j--
	}
	u.rest.WriteString(s[u.next:j])
	u.rest.WriteByte(' ')
	u.hush = u.base | hushOf(keyBefore(s[:j]))
	after := i + 3
	u.https = strings.EqualFold(s[j:i], "https")
	switch scheme := s[j:i]; {
	case len(scheme) > len("passthrough"):
	case strings.EqualFold(scheme, "dns"), strings.EqualFold(scheme, "xds"), strings.EqualFold(scheme, "passthrough"):
		// gRPC's resolvers name a server, or none, and the host in the path.
		if n := strings.IndexByte(s[after:min(len(s), after+near)], '/'); n >= 0 {
			u.hostList(s[after : after+n])
			after += n + 1
		}
	}
	pairs, next := u.authority(after)
	u.next = next
	u.rest.WriteString(pairs)
	u.rest.WriteByte(' ')
}

// authorityEnd returns the index behind an authority that begins at i; a backslash stands before an instance of SQL Server.
func authorityEnd(s string, i int) int {
	for ; i < len(s); i++ {
		switch s[i] {
		case '/', '\\', '?', '#', ' ', '\t', '\r', '\n', '"', '\'', '`', ';', '<', '>', '|', '{', '}':
			return i
		}
	}
	return i
}

// near bounds how far ahead of a scheme its user info is looked for.
const near = 4096

// indexAny is strings.IndexAny with the length for "not found".
func indexAny(s, chars string) int {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return i
	}
	return len(s)
}

// authority reads [user[:password]@]host[:port][,host[:port]…] at i. It returns keys and values that stand in the place of
// one, and the index of what follows the URL's path: parameters may name hosts of their own.
func (u *urls) authority(i int) (pairs string, next int) {
	s := u.line
	end := authorityEnd(s, i)
	begin := i
	// A password may contain what ends an authority elsewhere, and a path may contain an @. Which of the two it is
	// depends on the program, so both readings count.
	if at := u.userInfo(i); at > end {
		u.hostList(s[i:end])
		begin, end = at+1, authorityEnd(s, at+1)
	}
	auth := s[begin:end]
	if c := strings.LastIndexByte(auth, ','); c >= 0 && strings.HasSuffix(auth, ":") && strings.HasPrefix(s[end:], "//") {
		// A list of URLs: what follows the comma is the scheme of the next.
		u.hostList(auth[:c])
		return "", begin + c
	}
	if strings.Contains(auth, "(") && strings.Contains(auth, "=") {
		// MySQL's driver for Java takes (host=…,port=…) there, which is read like any list of keys and values.
		return auth, tail(s, end)
	}
	u.hostList(auth)
	return "", tail(s, end)
}

func (sc *scanner) hostList(auth string) {
	if i := strings.LastIndexByte(auth, '@'); i >= 0 {
		auth = auth[i+1:]
	}
	for h := range strings.SplitSeq(wrapped(auth), ",") {
		site := sc.site
		sc.site = sc.https && !strings.Contains(h, ":")
		sc.take(dropPort(h), true, true)
		sc.site = site
	}
}

// userInfo returns the index of the @ that ends user info with a slash or such in it, or -1. It is looked for only
// before the first blank or quote and before any further parameter.
func (u *urls) userInfo(i int) int {
	s, limit := u.line, min(len(u.line), i+near)
	if first, _, _ := strings.Cut(s[i:limit], "/"); !strings.Contains(first, ":") {
		return -1
	}
	if u.at < i {
		u.at = len(s)
		if at := strings.IndexByte(s[i:], '@'); at >= 0 {
			u.at = i + at
		}
	}
	if u.at >= limit {
		return -1
	}
	head := s[i:limit]
	head = head[:indexAny(head, " \t\r\n\"'`?,\x01")]
	if at := strings.LastIndexByte(head, '@'); at >= 0 && strings.Contains(head[:indexAny(head, "/")], ":") {
		return i + at
	}
	return -1
}

// wrapped unwraps tcp(host:port), as Go's MySQL driver writes it.
func wrapped(s string) string {
	if i := strings.IndexByte(s, '('); i >= 0 {
		return strings.TrimSuffix(s[i+1:], ")")
	}
	return s
}

func dropPort(s string) string {
	if strings.HasPrefix(s, "[") {
		if i := strings.IndexByte(s, ']'); i > 0 {
			return s[1:i]
		}
	}
	if strings.Count(s, ":") == 1 {
		s, _, _ = strings.Cut(s, ":")
	}
	return s
}

// tail skips the path of a URL from i on, in which names are not hosts, up to its parameters or the end of the word.
func tail(s string, i int) int {
	for ; i < len(s); i++ {
		switch s[i] {
		case '?', '#', ' ', '\t', '\r', '\n', '"', '\'', '`', ';', '<', '>', '|', ',', '{', '}':
			return i
		}
	}
	return i
}

// keyBefore returns the key that stands before a value at the end of a text, as in `"key": "` and `key=`; empty: none does.
func keyBefore(s string) string {
	s = s[max(0, len(s)-maxKeyName-near/64):]
	s = strings.TrimRight(s, " \t\"'")
	if s == "" || s[len(s)-1] != ':' && s[len(s)-1] != '=' {
		return ""
	}
	s = strings.TrimRight(s[:len(s)-1], " \t\"'")
	for i := len(s); i > 0; i-- {
		if separates(s[i-1]) {
			return strings.TrimLeft(s[i:], "-")
		}
	}
	return strings.TrimLeft(s, "-")
}
