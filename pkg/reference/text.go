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
		if strings.HasSuffix(text, "\n") || strings.HasPrefix(text, "# ") { // a file of one line, which may be a comment
			line := ""
			for _, l := range uncommented(withoutPairs(text)) {
				line = l
			}
			text = line
		}
		return r.line(strings.TrimSpace(text), hint, pos, r.base|hushOf(hint), false)
	}
	var out []Target
	r.settings(text, func(_ *outline, h hush, l string) { out = append(out, r.line(l, "", pos, h, true)...) })
	return out
}

// settings calls read for each line of a file that may name something, but for comments and for lines of which everything is held back.
func (r *reader) settings(text string, read func(keys *outline, h hush, l string)) {
	var keys outline
	all := strings.Contains(text, "amespace") || strings.Contains(text, "fromHost") // such a key may stand lines above
	for indent, l := range uncommented(withoutPairs(text)) {
		keys.line(indent, l)
		if !all && !r.mayName(l) {
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
		block, closed := false, strings.LastIndex(text, "*/")
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
	sc := scanner{reader: r, word: pos == Word || file, file: file, base: h, hush: h, text: s}
	s = withoutSelectors(unmarked(strings.TrimPrefix(s, "- "))) // an item of a list
	rest := sc.urls(s)
	shape := shapeOf(rest)
	if inbound(strings.ToLower(shape.first[:min(len(shape.first), maxHost)])) && file {
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

type scanner struct {
	*reader
	pos  Position
	hint bool
	// only: the text is one token. list: every token of it could be a host.
	only, list bool
	// strong, stands: how the token before was read. before is its text, and named is true if it says that a host
	// follows: a host flag, or a key of such a name.
	strong, stands bool
	before         string
	named          bool
	// word: the text is one of many, words of a command or lines of a file, so that standing alone says less of it.
	word bool
	// file is true for a line of a file.
	file bool
	// mute: the text is the value of a key that holds no host of a short name; next: the next token is.
	mute, next bool
	// behind is the key or flag that the token stands behind.
	behind string
	// base is what the place of the text holds back, ahead what the key before does, held what that of the quoted text does, hush what that of the token does, and muffled is true while a list is read of
	// what is not to be reached.
	base, ahead, held, hush hush
	muffled                 bool
	// text is the whole line; prose says whether it is a sentence, once that is known.
	text  string
	prose *bool
	// path is true for a host that a path follows, and mail for the domain of user@domain.
	path, mail bool
	// https is true within the authority of such a URL, and site where no port follows.
	https, site bool
	// chance is true for a token that nothing but its own form says to be a host.
	chance bool
	out    []Target
}

// add takes what may be a host. Where only its standing alone says so, fewer than four numbers are a version or a
// ratio, not inet_aton's short forms.
func (sc *scanner) add(s string, strong bool) bool {
	version := sc.only && !sc.hint && sc.pos != HostPosition && !strings.ContainsAny(s, "xX")
	return sc.take(s, strong, strong && !version)
}

// take does the same where it is known whether the short forms count.
func (sc *scanner) take(s string, strong, loose bool) bool {
	if sc.hush&hushAll != 0 {
		return false
	}
	wild := strings.HasPrefix(s, "*.")
	strong = strong && (!wild || sc.pos == HostPosition)
	h, ok := NormaliseHost(strings.TrimPrefix(s, "*."), loose)
	if !ok || !strong && !strings.Contains(h.Name, ".") && !h.Addr.IsValid() || sc.holds(h) {
		return false
	}
	if wild && !h.Addr.IsValid() {
		h.Name = "*." + h.Name
	}
	h.Unambiguous, h.Exact, h.Site = strong, sc.exact(h, strong) || isShouted(s), sc.site && strings.Count(h.Name, ".") == 1
	if sc.chance && !h.Addr.IsValid() {
		sc.out = sc.weak(sc.out, h)
		return true
	}
	sc.out = sc.keep(sc.out, h)
	if a, ok := namedAddress(h.Name); ok {
		sc.out = sc.keep(sc.out, Target{Name: a.String(), Addr: a, Unambiguous: strong})
	}
	return true
}

// token reads one token. It returns whether the next one is a value: after `key:`, `key =` and a host flag.
func (sc *scanner) token(t token, keyed bool) bool {
	s := t.text
	if sc.muffled = sc.muffled && (t.joined || t.continued); sc.muffled {
		return false
	}
	switch {
	case t.tag:
		sc.held = hushOf(s)
		return false
	case t.opened && !t.continued:
		sc.held = sc.ahead
	}
	if !t.joined && !t.continued {
		sc.hush = sc.base | sc.ahead | sc.held
	}
	if s == "=" || strings.HasSuffix(s, ":") && sc.pos != Word && !strings.Contains(s, "::") {
		sc.key(s)
		return true
	}
	mute := sc.mute || sc.next && !strings.Contains(s, "=")
	sc.next, sc.ahead = false, 0
	behind := sc.behind
	sc.behind = ""
	if key, value, ok := cutKey(s); ok {
		h := hushOf(key)
		if value == "" {
			sc.ahead = h // a value in quotes may follow
		}
		if sc.muffled = h&hushAll != 0; sc.muffled || credential(key) {
			return false // a password may look like a host, and would be shown as one
		}
		sc.hush |= h
		mute = mute || namesNoHost(key)
		sc.strong, sc.stands, s = !mute && (sc.hint || hostHint(key)), !mute, value
		behind = key
	} else {
		sc.stand(t, keyed)
		sc.strong, sc.stands = sc.strong && !mute, sc.stands && !mute
	}
	if sc.hush&hushAll != 0 {
		sc.muffled = true
		return false
	}
	sc.value(s, sc.strong, sc.stands)
	sc.encoded(s)
	if bucketHint(strings.ToLower(behind)) && isKey(s) {
		sc.out = sc.keep(sc.out, Target{Kind: Instance, Name: strings.ToLower(s), Unambiguous: true})
	}
	if s[:min(len(s), 1)] == "-" {
		sc.behind = strings.TrimLeft(s, "-")
	}
	sc.named = hostFlag(t.text)
	return sc.named
}

// key reads a token that says what the next one is.
func (sc *scanner) key(s string) {
	if sc.only {
		sc.value(s, false, true) // a key may be a host: what follows says more of it
	}
	key := strings.TrimSuffix(s, ":")
	if key == "" || s == "=" {
		key = sc.before
	}
	sc.next, sc.ahead, sc.behind = namesNoHost(key), hushOf(key), key
	sc.named = hostHint(key) && !sc.next
}

// stand says how a token stands that is not behind a key of its own. In a list it stands as the one before.
func (sc *scanner) stand(t token, keyed bool) {
	listed := t.listed && !digits(t.text) // a port may follow a comma too
	alone := sc.only && (!sc.word || !twoLabels(t.text)) && (!sc.file || strings.ContainsAny(t.text, ".:"))
	sc.strong = sc.hint || sc.pos == HostPosition || alone || keyed && sc.named || listed && sc.strong
	sc.stands = keyed || listed && sc.stands || speaks(t) || sc.stage()
}

// stage: the text as a whole leaves no room for prose.
func (sc *scanner) stage() bool { return sc.only || sc.list || sc.pos == Word }

// speaks: a token that says by itself that it is a value.
func speaks(t token) bool { return t.quoted || serviceName(t.text) }

// twoLabels: as a module, a table or a topic as often as a Service.
func twoLabels(s string) bool { return strings.Count(s, ".") == 1 && !strings.ContainsAny(s, ":/@=") }

// serviceName: nobody writes the whole DNS name of a Service but to say where something is.
func serviceName(s string) bool {
	return strings.Contains(s, ".svc.cluster.local") || strings.HasSuffix(s, ".svc")
}

// value reads what may be user@host:port/path. stands is true where the text is more than a word of prose.
func (sc *scanner) value(s string, strong, stands bool) {
	s, rooted := root(s)
	strong = strong || rooted
	sc.path, sc.mail = false, false
	if strings.HasPrefix(s, "mailto:") {
		return
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		user, domain := s[:i], s[i+1:]
		if sc.mail = !strings.ContainsAny(s, ":/") && !sc.hint && sc.pos == Value; sc.mail && (sc.hush&hushMail != 0 || !sc.only && !sc.named && !keyedWord(sc.before)) {
			return // somebody's mail address
		}
		if isRealm(user, domain) {
			if strings.Count(domain, ".") <= 1 {
				return
			}
			sc.mail = true
		}
		sc.beforeAt(user, strong)
		s, strong, stands = strings.TrimPrefix(domain, "//"), strong || !sc.mail, true
	}
	end := indexAny(s, "/\\")
	if end < len(s) && end > 0 && !strings.ContainsAny(s[:end], ".:[") && !rooted && !sc.hint && !sc.named && sc.pos != HostPosition && !sc.mail {
		strong = false // a folder, a bucket, an image
	}
	sc.path = end < len(s) && !strings.HasSuffix(s[:end], ":") // host:/path is what scp takes
	sc.hostPort(s[:end], strong, stands)
	if sc.path && isKey(s[:end]) && !strings.Contains(s[:end], ".") {
		sc.member(s[end+1:])
	}
}

// member reads what follows the name of a replica set, as in rs0/host:27017.
func (sc *scanner) member(s string) {
	host, port, ok := strings.Cut(s, ":")
	if (ok && digits(firstPart(port)) || !ok && sc.speaksForItself(host)) && !strings.Contains(host, "/") {
		sc.path = false
		sc.take(host, false, false)
	}
}

// isRealm reports whether user@domain is the principal of a Kerberos realm: realms are spelled in capitals.
func isRealm(user, domain string) bool {
	return domain != "" && strings.ToUpper(domain) == domain && strings.ToLower(domain) != domain && !strings.ContainsAny(user, ":")
}

// keyedWord reports whether a token before says by itself that a value follows.
func keyedWord(before string) bool { return strings.HasSuffix(before, ":") || before == "=" }

// hostPort reads what may be host:port, an address in brackets, or a protocol before either.
func (sc *scanner) hostPort(s string, strong, stands bool) {
	if s == "" || qualified(s) || strings.Count(s, ":") > 1 && (sc.add(dropPort(s), strong) || strings.HasPrefix(s, "[")) {
		return
	}
	if strings.Count(s, ":") > maxParts {
		sc.parts(s, strong, stands)
		return
	}
	host, port, ok := strings.Cut(s, ":")
	if ok && !strings.Contains(host, ".") && !protocol(host) && !digits(firstPart(port)) && !sc.hint && !sc.named && sc.pos != HostPosition && !strings.Contains(port, ".") {
		strong = false // an owner and a group, a kind and a name
	}
	if ok && len(firstPart(port)) < 2 && !strings.Contains(host, ".") {
		return // an image and its tag
	}
	if ok && digits(firstPart(port)) {
		sc.take(host, sc.strongPort(host), true)
		return
	}
	if ok {
		// A protocol before the host (tcp:host,1433) or two of them: every part may be the host.
		sc.hostPort(strings.TrimLeft(port, "-=?+"), strong, stands) // ${NAME:-host} has a sign before it
	}
	if strong || stands {
		sc.add(host, strong && !ok)
	} else if sc.speaksForItself(host) {
		sc.chance = true
		sc.add(host, false)
		sc.chance = false
	}
}

// strongPort: a port makes a host of any name, but for that of an image and of a key that holds no host.
func (sc *scanner) strongPort(host string) bool { return sc.hush&hushPaths == 0 || !sc.path }

// beforeAt reads host[:port]/path before an @ that stands in the path; user info has no slash there.
func (sc *scanner) beforeAt(s string, strong bool) {
	head, _, ok := strings.Cut(s, "/")
	if !ok || strings.Contains(head, "@") {
		return
	}
	if host, port, ok := strings.Cut(head, ":"); !ok || digits(port) {
		sc.add(host, strong || ok)
	}
}

// root takes what stands before a host alone: the slashes of a URL without a scheme, bash's sockets, and Thanos's
// lookups.
func root(s string) (rest string, ok bool) {
	for _, prefix := range []string{"*/", "//", "/dev/tcp/", "/dev/udp/", "dns+", "dnssrv+", "dnssrvnoa+"} {
		if after, has := strings.CutPrefix(s, prefix); has {
			s, ok = after, true
		}
	}
	return s, ok
}

// maxParts is how many parts between colons are read one within the other; more are no connection string, and are read
// one after the other, so that the cost stays linear.
const maxParts = 8

func (sc *scanner) parts(s string, strong, stands bool) {
	if !strong && !stands {
		return
	}
	for s != "" {
		host, rest, _ := strings.Cut(s, ":")
		sc.add(host, digits(firstPart(rest)))
		s = rest
	}
}

func firstPart(port string) string {
	if len(port) > maxHost {
		port = port[:maxHost]
	}
	p, _, _ := strings.Cut(port, ":")
	return p
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
