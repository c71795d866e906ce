package reference

import (
	"strings"
)

type token struct {
	text string
	// quoted: the token fills a pair of quotes, as a value in JSON or YAML does, or stands in tcp(host).
	quoted bool
	// listed: nothing but a comma divides it from the one before.
	listed bool
}

const separators = " \t\r\n\"'`,;|<>(){}&?\x01"

// tokens splits a line at blanks, quotes and the punctuation that no host contains.
func tokens(s string) []token {
	var out []token
	start := -1
	for i := 0; i <= len(s); i++ {
		if i < len(s) && strings.IndexByte(separators, s[i]) < 0 {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 {
			listed := start > 0 && s[start-1] == ',' && len(out) > 0 && strings.HasSuffix(s[:start-1], out[len(out)-1].text)
			out = append(out, token{text: s[start:i], quoted: quotedAt(s, start, i), listed: listed})
			start = -1
		}
	}
	return out
}

func quotedAt(s string, start, end int) bool {
	if start == 0 || end == len(s) {
		return false
	}
	return s[start-1] == s[end] && strings.IndexByte("\"'", s[end]) >= 0 ||
		s[start-1] == '>' && s[end] == '<' || // the text of an element
		s[end] == ')' && (strings.HasSuffix(s[:start], "@tcp(") || strings.HasSuffix(s[:start], "@tcp6("))
}

// urls reads every scheme://authority of a line and returns the line without them.
func (sc *scanner) urls(s string) string {
	if !strings.Contains(s, "://") {
		return s
	}
	var rest strings.Builder
	for {
		i := strings.Index(s, "://")
		if i < 0 {
			rest.WriteString(s)
			return rest.String()
		}
		j := i
		for j > 0 && strings.IndexByte(separators+"=@[", s[j-1]) < 0 {
			j--
		}
		rest.WriteString(s[:j])
		rest.WriteByte(' ')
		after := s[i+3:]
		switch strings.ToLower(s[j:i]) {
		case "dns", "xds", "passthrough":
			// gRPC's resolvers name a server, or none, and the host in the path.
			if server, path, ok := cutNear(after, '/'); ok {
				sc.hostList(server)
				after = path
			}
		}
		var pairs string
		pairs, s = sc.authority(after)
		rest.WriteString(pairs)
		rest.WriteByte(' ')
	}
}

// authorityEnds are the characters that end an authority; a backslash stands before an instance of SQL Server.
const authorityEnds = "/\\?# \t\r\n\"'`;<>|{}"

// near bounds how far ahead of a scheme its parts are looked for: otherwise a line of many URLs costs their square.
const near = 4096

func cutNear(s string, sep byte) (before, after string, ok bool) {
	i := strings.IndexByte(s[:min(len(s), near)], sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// indexAny is strings.IndexAny with the length for "not found".
func indexAny(s, chars string) int {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return i
	}
	return len(s)
}

// authority reads [user[:password]@]host[:port][,host[:port]…]. It returns keys and values that stand in the place of
// one, and what follows the URL's path: parameters may name hosts of their own.
func (sc *scanner) authority(s string) (pairs, after string) {
	end := indexAny(s, authorityEnds)
	auth, rest := s[:end], s[end:]
	// A password may contain what ends an authority elsewhere, and a path may contain an @. Which of the two it is
	// depends on the program, so both readings count.
	if i := userInfo(s); i > end {
		sc.hostList(auth)
		end = i + 1 + indexAny(s[i+1:], authorityEnds)
		auth, rest = s[i+1:end], s[end:]
	}
	if i := strings.LastIndexByte(auth, ','); i >= 0 && strings.HasSuffix(auth, ":") && strings.HasPrefix(rest, "//") {
		// A list of URLs: what follows the comma is the scheme of the next.
		auth, rest = auth[:i], auth[i:]+rest
		sc.hostList(auth)
		return "", rest
	}
	if strings.Contains(auth, "(") && strings.Contains(auth, "=") {
		// MySQL's driver for Java takes (host=…,port=…) there, which is read like any list of keys and values.
		return auth, tail(rest)
	}
	sc.hostList(auth)
	return "", tail(rest)
}

func (sc *scanner) hostList(auth string) {
	if i := strings.LastIndexByte(auth, '@'); i >= 0 {
		auth = auth[i+1:]
	}
	for h := range strings.SplitSeq(wrapped(auth), ",") {
		sc.take(dropPort(h), true, true)
	}
}

// userInfo returns the index of the @ that ends user info with a slash or such in it, or -1. It is looked for only
// before the first blank or quote and before any further parameter.
func userInfo(s string) int {
	head := s[:min(len(s), near)]
	head = head[:indexAny(head, " \t\r\n\"'`?,\x01")]
	i := strings.LastIndexByte(head, '@')
	if i < 0 || !strings.Contains(strings.SplitN(head, "/", 2)[0], ":") {
		return -1
	}
	return i
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

// tail skips the path of a URL, in which names are not hosts, up to its parameters or the end of the word.
func tail(s string) string {
	return s[indexAny(s, "?# \t\r\n\"'`;<>|,{}"):]
}

// credential reports whether a key of this name holds a password or a user, which are no hosts whatever they look like.
func credential(name string) bool {
	switch strings.ToLower(strings.TrimLeft(name, "-")) {
	case "password", "passwd", "pwd", "pass", "secret", "token", "user", "username", "uid", "user id", "passphrase":
		return true
	}
	return false
}

// cutKey splits key=value and --flag=value.
func cutKey(s string) (key, value string, ok bool) {
	key, value, ok = strings.Cut(s, "=")
	if !ok || key == "" {
		return "", "", false
	}
	if k, v, again := strings.Cut(value, "="); again && isKey(k) {
		return k, v, true
	}
	return strings.TrimLeft(key, "-"), value, true
}

func isKey(s string) bool {
	return s != "" && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789_.-") == ""
}

func hostFlag(s string) bool {
	return len(s) > 1 && s[0] == '-' && !strings.Contains(s, "=") && hostHint(strings.TrimLeft(s, "-"))
}

// hostHint reports whether a variable, flag or key of this name holds a host: one of its words says so.
func hostHint(name string) bool {
	if name == "" || len(name) > 128 {
		return false
	}
	start := 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && !boundary(name, i) {
			continue
		}
		if hostWord(strings.ToLower(strings.Trim(name[start:i], "_-. "))) {
			return true
		}
		start = i
	}
	return false
}

// mute reports whether what a variable, flag or key of this name holds only looks like a host: a version is no address,
// and topics, tables and classes have dots too. A URL or host:port in it is still one.
func mute(name string) bool {
	if name == "" || len(name) > 128 || hostHint(name) {
		return false
	}
	start, last := 0, ""
	for i := 0; i <= len(name); i++ {
		if i < len(name) && !boundary(name, i) {
			continue
		}
		if last = strings.ToLower(strings.Trim(name[start:i], "_-. ")); muteWord(last) {
			return true
		}
		start = i
	}
	return last == "name" || last == "names" || last == "prefix" || last == "app" || last == "id" || last == "key" || last == "number"
}

// muteWord: a word of a name that says what else the value is.
func muteWord(w string) bool {
	switch w {
	case "version", "versions", "tag", "image", "topic", "topics", "topicname", "table", "tables", "schema", "collection", "metric", "metrics", "logger", "class",
		"classname", "package", "packages", "module", "event", "events", "label", "labels", "regex", "pattern", "checksum", "digest", "sha", "revision", "release",
		"queue", "queues", "subject", "subjects", "routing", "scope", "cookie", "statsd", "consumer", "dataset", "permission", "contact", "email", "mail", "owner", "build":
		return true
	}
	return false
}

// boundary: a separator, or a capital after a small letter.
func boundary(s string, i int) bool {
	if i == 0 {
		return false
	}
	c, p := s[i], s[i-1]
	return c == '_' || c == '-' || c == '.' || c >= 'A' && c <= 'Z' && p >= 'a' && p <= 'z'
}

func hostWord(w string) bool {
	switch w {
	case "h", "host", "hosts", "hostname", "hostnames", "addr", "addrs", "address", "addresses", "server", "servers",
		"servername", "endpoint", "endpoints", "url", "urls", "uri", "uris", "broker", "brokers", "bootstrap", "dsn",
		"jdbc", "nodes", "seeds", "peers", "contactpoints", "hostaddr", "dbhost", "pghost", "pghostaddr", "databaseurl":
		return true
	}
	return false
}

func allHosts(toks []token) bool {
	for _, t := range toks {
		if !strings.ContainsAny(t.text, ".:") {
			return false
		}
	}
	return len(toks) > 0
}
