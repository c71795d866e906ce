package hide

import (
	"regexp"
	"slices"
	"strings"
)

// Ways in which a credential stands in a text. The group "secret" is what is hidden.
var (
	// inKey is a private key in PEM.
	inKey = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----(?P<secret>[A-Za-z0-9+/=\s\\:,.-]*?)-----END [A-Z ]*PRIVATE KEY-----`)
	// inURL is user:password@ of a URL, or of a connection string without a scheme.
	inURL = regexp.MustCompile(`://[^\s/:@"'<>]*:(?P<secret>[^\s/,;|&"'<>()\\]+)@`)
	// inMySQL is user:password@tcp(host).
	inMySQL = regexp.MustCompile(`[A-Za-z0-9_.-]+:(?P<secret>[^\s:@/;|&"'()\\]+)@(?:tcp|unix)\(`)
	// inOracle is user/password@host:port.
	inOracle = regexp.MustCompile(`(?:jdbc:oracle:[a-z]+:|sqlplus\s+(?:-[A-Za-z]+\s+)*)[A-Za-z0-9_$#]+/(?P<secret>[^\s@;|&"'()\\]+)@`)
	// inSQL is what a statement gives a user for a password.
	inSQL = regexp.MustCompile(`(?i:password|identified[ \t]+by(?:[ \t]+password)?)[ \t]+E?['"](?P<secret>(?:[^'";()*\s]|'')+)['"]`)
	// inXML is the text of an element.
	inXML = regexp.MustCompile(`<[^<>\n]*(?i:password|passwd|secret|token)[^<>\n]*>(?P<secret>[^<>\n]+)</`)
	// inMySQLCommand and the others are the flags of clients within a script.
	inMySQLCommand = regexp.MustCompile(`\b(?:mysql|mariadb)[a-z-]*[^\n|;&]*?[ \t]-p(?P<secret>[^\s'"|;&]+)`)
	inRedisCommand = regexp.MustCompile(`\bredis-cli[^\n|;&]*?[ \t]-a[ \t]+['"]?(?P<secret>[^\s'"|;&]+)`)
	inCurlCommand  = regexp.MustCompile(`\bcurl[^\n|;&]*?[ \t]-u[ \t]*['"]?[^\s'":|;&]+:(?P<secret>[^\s'"|;&]+)`)
	inMongoCommand = regexp.MustCompile(`\bmongo[a-z]*[^\n|;&]*?[ \t]-p[ \t]+['"]?(?P<secret>[^\s'"|;&]+)`)
	inSSHPass      = regexp.MustCompile(`\bsshpass[ \t]+-p[ \t]*['"]?(?P<secret>[^\s'"|;&]+)`)
	// inQuery is a short name in the query of a URL, which says less elsewhere.
	inQuery = regexp.MustCompile(`[?&](?:key|sig|signature|auth|code)=(?P<secret>[^\s&;|"'#()\\]+)`)
	// named is what stands before a value: name=, name: and --name, in connection strings, settings, JSON and command lines. The value
	// is read up to its end only where the name says that it is secret, since it may hold names and values itself.
	named = regexp.MustCompile(`([A-Za-z0-9_.-]+)(?:\\?["']?[ \t]*[=:][ \t]*|[ \t]+)(?:[|>]-?[ \t]*\n[ \t]*)?\\?["']?`)
	// bearer is what HTTP sends.
	bearer = regexp.MustCompile(`(?i:authorization["']?[ \t]*:[ \t]*["']?(?:bearer|basic|token|apikey))[ \t]+(?P<secret>[A-Za-z0-9+/_.~=-]+)`)
	// shaped are tokens by the form that their issuers give them.
	shaped = regexp.MustCompile(`(?P<secret>\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abprs]-[A-Za-z0-9-]{10,}|hv[sb]\.[A-Za-z0-9_-]{20,}|sk_live_[A-Za-z0-9]{16,}|npm_[A-Za-z0-9]{30,}|AIza[A-Za-z0-9_-]{30,}|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+))`)
	// slack is the address of a webhook, which is a credential.
	slack = regexp.MustCompile(`hooks\.slack\.com/services/(?P<secret>[A-Za-z0-9/_-]+)`)
)

// form is a pattern, and texts of which one stands in everything that it matches: most texts hold none, and need not be matched.
type form struct {
	pattern *regexp.Regexp
	needs   []string
}

// forms in the order in which they are looked for.
func forms() []form {
	return []form{
		{inKey, []string{"PRIVATE KEY-----"}}, {inURL, []string{"://"}}, {inQuery, []string{"key=", "sig=", "signature=", "auth=", "code="}}, {inMySQL, []string{"@tcp(", "@unix("}}, {inOracle, []string{"jdbc:oracle:", "sqlplus"}},
		{inSQL, []string{"assword", "ASSWORD", "dentified", "DENTIFIED"}}, {inXML, []string{"</"}}, {inMySQLCommand, []string{"mysql", "mariadb"}}, {inRedisCommand, []string{"redis-cli"}}, {inCurlCommand, []string{"curl"}},
		{inMongoCommand, []string{"mongo"}}, {inSSHPass, []string{"sshpass"}}, {bearer, []string{"uthorization", "UTHORIZATION"}}, {slack, []string{"hooks.slack.com"}},
		{shaped, []string{"gh", "glpat-", "xox", "hv", "sk_live_", "npm_", "AIza", "eyJ"}},
	}
}

func (f *form) mayMatch(text string) bool {
	if f.pattern == inXML && !isXML(text) {
		return false // a shell takes the signs for files that it reads and writes
	}
	return slices.ContainsFunc(f.needs, func(n string) bool { return strings.Contains(text, n) })
}

// isXML reports whether a text is a document of XML, from its first sign to its last.
func isXML(text string) bool {
	text = strings.TrimSpace(text)
	return len(text) > 2 && text[0] == '<' && text[len(text)-1] == '>' && !strings.ContainsAny(text, "#;|")
}

// roots are texts of which one stands in every name that says that its value is secret.
func roots() []string { return []string{"pass", "pwd", "secret", "token", "credential", "key"} }

// marked puts marks in the place of what the group "secret" of a pattern matches.
func marked(place, text string, pattern *regexp.Regexp) string {
	matches := pattern.FindAllStringSubmatchIndex(text, -1)
	group := 2 * pattern.SubexpIndex("secret")
	var b builder
	for _, m := range matches {
		secret := text[m[group]:m[group+1]]
		if pattern == inKey && isKey(secret) || pattern != inKey && !runs(secret) {
			b.put(place, text, m[group], m[group+1])
		}
	}
	return b.rest(text)
}

// values puts marks in the place of values whose names say that they are secret.
func values(place, text string) string {
	lower := strings.ToLower(text)
	if !slices.ContainsFunc(roots(), func(r string) bool { return strings.Contains(lower, r) }) {
		return text
	}
	var b builder
	for at := 0; at < len(text); {
		m := named.FindStringSubmatchIndex(text[at:])
		if m == nil {
			break
		}
		name, begin := text[at+m[2]:at+m[3]], at+m[1]
		sign := strings.ContainsAny(text[at+m[3]:begin], "=:")
		if at = begin; !sign && !strings.HasPrefix(name, "-") || !Names(strings.TrimLeft(name, "-")) {
			continue
		}
		if !sign && strings.HasPrefix(text[begin:], "-") || begins.MatchString(text[begin:min(begin+maxName, len(text))]) {
			continue // another flag, or what is put in from elsewhere
		}
		end := begin + valueLength(text[begin:], text[begin-1])
		if !runs(text[begin:end]) {
			b.put(place, text, begin, end)
		}
		at = end
	}
	return b.rest(text)
}

// valueLength returns how long the value is that a text begins with, behind a quote if quote is one.
func valueLength(text string, quote byte) int {
	if quote == '"' || quote == '\'' {
		if i := strings.IndexAny(text, string(quote)+"\n;|"); i >= 0 && text[i] == quote {
			return i - strings.Count(text[max(0, i-1):i], `\`) // the quote may be escaped, as in JSON within JSON
		}
	}
	if i := strings.IndexAny(text, " \t\r\n\"'`&;,|<>(){}\\"); i >= 0 {
		return i
	}
	return len(text)
}

// builder puts a text together.
type builder struct {
	strings.Builder
	done int
}

// put puts a mark in the place of text[begin:end].
func (b *builder) put(place, text string, begin, end int) {
	if begin < b.done || begin >= end || strings.Contains(text[begin:end], markBegin) || strings.HasPrefix(text[begin:], markBegin) {
		return
	}
	b.WriteString(text[b.done:begin])
	b.WriteString(markOf(place, text[begin:end]))
	b.done = end
}

// isKey reports whether a text is the body of a private key: it begins as one in DER or of OpenSSH, and its lines are base64 of one length but
// for the last, so that nothing that runs can be spelled so.
func isKey(text string) bool {
	lines := strings.Split(strings.Trim(strings.ReplaceAll(text, "\\n", "\n"), " \t\r\n"), "\n")
	if !derKey.MatchString(lines[0]) {
		return false
	}
	length := len(strings.Trim(lines[0], " \t\r"))
	for i, l := range lines {
		l = strings.Trim(l, " \t\r")
		if len(l) > length || len(l) < length && i < len(lines)-1 || length < minKeyLine || strings.Trim(l, base64Letters) != "" {
			return false
		}
	}
	return true
}

// derKey is how the body of a key begins: a sequence in DER, or the name of OpenSSH's format.
var derKey = regexp.MustCompile(`^(?:M[A-I]|b3BlbnNzaC1rZXkt)`)

const (
	minKeyLine    = 40
	base64Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
)

// rest adds what stands behind the last mark.
func (b *builder) rest(text string) string {
	if b.done == 0 {
		return text
	}
	b.WriteString(text[b.done:])
	return b.String()
}
