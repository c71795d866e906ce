package reference

import "strings"

// scanner reads the tokens of one line.
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
	// base is what the place of the text holds back, ahead what the key before does, held what the key of the quoted text does, and
	// hush what that of the token does. muffled is true while a list is read of what is not to be reached.
	base, ahead, held, hush hush
	muffled                 bool
	// text is the whole line; prose says whether it is a sentence, once that is known.
	text         string
	prose, asked bool
	// path is true for a host that a path follows, and mail for the domain of user@domain.
	path, mail bool
	// https is true within the authority of such a URL, and site where no port follows.
	https, site bool
	// chance is true for a token that nothing but its own form says to be a host.
	chance bool
	out    []Target
}

// scanner returns one that starts as given.
func (r *reader) scanner(as scanner) *scanner {
	sc := r.spare
	if sc == nil {
		sc = new(scanner)
	}
	r.spare = nil
	*sc = as
	sc.reader = r
	return sc
}

// done takes a scanner back.
func (r *reader) done(sc *scanner) { r.spare = sc }

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
	h.Unambiguous = strong
	if !h.Addr.IsValid() {
		if wild {
			h.Name = "*." + h.Name
		}
		h.Exact, h.Site = sc.exact(h, strong) || sc.shouted(s, strong), sc.site && strings.Count(h.Name, ".") == 1
		if sc.chance {
			sc.out = sc.weak(sc.out, h)
			return true
		}
	}
	sc.out = sc.keep(sc.out, h)
	sc.others(h, strong)
	return true
}

// others takes the other names of a host: the second address of a storage account, and the address that a name holds.
func (sc *scanner) others(h Target, strong bool) {
	if twin := lakeTwin(h.Name); twin != "" {
		h.Name = twin
		sc.out = sc.keep(sc.out, h)
	}
	if a, ok := namedAddress(h.Name); ok {
		sc.out = sc.keep(sc.out, Target{Name: a.String(), Addr: a, Unambiguous: strong})
	}
}

// shouted reports whether a name in capitals may be that of a realm: a host in capitals is a host but behind a user, and in a file where nothing says that a host stands.
func (sc *scanner) shouted(s string, strong bool) bool {
	return (sc.mail || sc.file && !strong) && isShouted(s) && !strings.HasSuffix(s, ".SVC") && !strings.Contains(s, ".SVC.")
}

// token reads one token. It returns whether the next one is a value: after `key:`, `key =` and a host flag.
func (sc *scanner) token(t token, keyed bool) bool {
	s := t.text
	if sc.quiet(t) {
		return false
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
		if !sc.pair(key, value, mute) {
			return false
		}
		behind, s = key, value
	} else {
		sc.stand(t, keyed)
		sc.strong, sc.stands = sc.strong && !mute, sc.stands && !mute
	}
	if sc.muffled = sc.hush&hushAll != 0; sc.muffled {
		return false
	}
	sc.value(s, sc.strong, sc.stands)
	sc.encoded(s)
	sc.bucket(behind, s)
	sc.named = hostFlag(t.text)
	return sc.named
}

// bucket reads the value of a key that holds the name of a bucket, and notes a flag whose value is the next token.
func (sc *scanner) bucket(key, value string) {
	if bucketHint(strings.ToLower(key)) && isKey(value) {
		sc.out = sc.keep(sc.out, Target{Kind: Instance, Name: strings.ToLower(value), Unambiguous: true})
	}
	if strings.HasPrefix(value, "-") {
		sc.behind = strings.TrimLeft(value, "-")
	}
}

// quiet reports whether the token says nothing: one of a list of what is not to be reached, or the name of an element of XML. It notes
// what the place of the token holds back.
func (sc *scanner) quiet(t token) bool {
	if sc.muffled = sc.muffled && (t.joined || t.continued); sc.muffled {
		return true
	}
	switch {
	case t.tag:
		sc.held = hushOf(t.text)
		return true
	case t.opened && !t.continued:
		sc.held = sc.ahead
	}
	if !t.joined && !t.continued {
		sc.hush = sc.base | sc.ahead | sc.held
	}
	return false
}

// pair takes in the key of a value, and reports whether the value is to be read.
func (sc *scanner) pair(key, value string, mute bool) bool {
	h := hushOf(key)
	if value == "" {
		sc.ahead = h // a value in quotes may follow
	}
	if sc.muffled = h&hushAll != 0; sc.muffled || credential(key) {
		return false // a password may look like a host, and would be shown as one
	}
	sc.hush |= h
	mute = mute || namesNoHost(key)
	sc.strong, sc.stands = !mute && (sc.hint || hostHint(key)), !mute
	return true
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
	sc.strong = sc.hint || sc.pos == HostPosition || sc.alone(t) || keyed && sc.named || listed && sc.strong
	sc.stands = keyed || listed && sc.stands || speaks(t) || sc.stage()
}

// alone reports whether the token is the whole text, of which nothing but its form says less.
func (sc *scanner) alone(t token) bool {
	return sc.only && (!sc.word || !twoLabels(t.text)) && (!sc.file || strings.ContainsAny(t.text, ".:"))
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
		if sc.isMail(user, domain) {
			return
		}
		sc.beforeAt(user, strong)
		s, strong, stands = strings.TrimPrefix(domain, "//"), strong || !sc.mail, true
	}
	end := indexAny(s, "/\\")
	strong = strong && (rooted || !sc.folder(s, end))
	sc.path = end < len(s) && !strings.HasSuffix(s[:end], ":") // host:/path is what scp takes
	sc.hostPort(s[:end], strong, stands)
	if sc.path && isKey(s[:end]) && !strings.Contains(s[:end], ".") {
		sc.member(s[end+1:])
	}
}

// folder reports whether what stands before a path is a word that names a folder, a bucket or an image as often as a host.
func (sc *scanner) folder(s string, end int) bool {
	return end < len(s) && end > 0 && !strings.ContainsAny(s[:end], ".:[") && !sc.mail && !sc.expected()
}

// expected reports whether the place of the token says that a host stands there.
func (sc *scanner) expected() bool { return sc.hint || sc.named || sc.pos == HostPosition }

// isMail reports whether user@domain is somebody's mail address or the principal of a realm. Where it may be either that or a user and a
// host, it notes that only a declared host of this very name counts.
func (sc *scanner) isMail(user, domain string) bool {
	sc.mail = !strings.ContainsAny(user, ":/") && !strings.ContainsAny(domain, ":/") && !sc.hint && sc.pos == Value
	if sc.mail && (sc.hush&hushMail != 0 || !sc.only && !sc.named && !keyedWord(sc.before)) {
		return true
	}
	if !isRealm(user, domain) {
		return false
	}
	sc.mail = true
	return strings.Count(domain, ".") <= 1
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
	if !ok {
		sc.bare(host, strong, stands)
		return
	}
	sc.beforeColon(host, port, strong, stands)
}

// beforeColon reads what may be a host before a port, or a protocol before a host.
func (sc *scanner) beforeColon(host, port string, strong, stands bool) {
	switch first, plain := firstPart(port), !strings.Contains(host, "."); {
	case plain && len(first) < 2: // an image and its tag
	case digits(first):
		sc.take(host, sc.hush&hushPaths == 0 || !sc.path, true) // a port makes a host of any name, but for that of an image
	default:
		// An owner and a group, a kind and a name.
		strong = strong && (!plain || protocol(host) || sc.expected() || strings.Contains(port, "."))
		// A protocol before the host (tcp:host,1433) or two of them: every part may be the host. ${NAME:-host} has a sign before it.
		sc.hostPort(strings.TrimLeft(port, "-=?+"), strong, stands)
		sc.bare(host, false, strong || stands)
	}
}

// bare reads what may be a host without a port.
func (sc *scanner) bare(host string, strong, stands bool) {
	if strong || stands {
		sc.add(host, strong)
	} else if sc.speaksForItself(host) {
		sc.chance = true
		sc.add(host, false)
		sc.chance = false
	}
}

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
