package reference

import (
	"net/netip"
	"strings"
)

// isShouted reports whether a name is spelled in capitals, as the realms of Kerberos are.
func isShouted(s string) bool { return strings.ToUpper(s) == s && strings.ToLower(s) != s }

// siteHint reports whether a name says that its value is the address of a site.
func siteHint(name string) bool {
	for w := range nameWords(name) {
		if siteWord(w) {
			return true
		}
	}
	return false
}

// holds reports whether the place of the token holds a host back.
func (sc *scanner) holds(h Target) bool {
	if h.Addr.IsValid() {
		return sc.hush&hushNumbers != 0
	}
	return sc.hush&hushPaths != 0 && sc.path
}

// exact reports whether only an entry of this very name counts.
func (sc *scanner) exact(h Target, strong bool) bool {
	return sc.hush&hushWild != 0 || sc.hush&hushShort != 0 && strings.Count(h.Name, ".") < 2 || !strong && (sc.path || sc.mail)
}

// speaksForItself reports whether a token is a host wherever it stands as a whole, whatever the key before it is called: a name of
// three labels or more, or an address. In a sentence it is only mentioned.
func (sc *scanner) speaksForItself(s string) bool {
	if len(s) < len("1.1.1.1") || len(s) > maxSpelling || !needle(s) {
		return false
	}
	if !sc.asked {
		sc.prose, sc.asked = isProse(sc.text), true
	}
	return !sc.prose
}

// needle reports whether a token has the form of a full name, or of an address in full.
func needle(s string) bool {
	s = strings.TrimPrefix(s, "*.")
	if !ascii(s) || strings.Contains(s, "%") {
		n, ok := NormaliseHost(s, false)
		return ok && (n.Addr.IsValid() || strings.Count(n.Name, ".") >= 2)
	}
	if strings.Count(s, ".") < 2 {
		return strings.Count(s, ":") > 2 && isAddress(s)
	}
	last := s[strings.LastIndexByte(strings.TrimSuffix(s, "."), '.')+1:]
	if last[0] >= '0' && last[0] <= '9' {
		_, err := netip.ParseAddr(s)
		return err == nil
	}
	return fullName(s)
}

// qualified reports whether a token is the qualified name of a target or an initiator of iSCSI or NVMe, which begins with a date and the
// domain of whoever named it.
func qualified(s string) bool {
	return len(s) > len("iqn.2016-06.") && (s[:4] == "iqn." || s[:4] == "nqn.") && digits(s[4:8]) && s[8] == '-'
}

// isProse reports whether a line is a sentence of English: most of its words are words, and some are such as only sentences have. What
// programs read has signs between them.
func isProse(line string) bool {
	if signed(line) {
		return false
	}
	words, all, articles, links := 0, 0, 0, 0
	for w := range strings.FieldsSeq(line) {
		all++
		if len(w) > 1 && strings.ToUpper(w) == w {
			continue // IN and CNAME
		}
		w = strings.ToLower(strings.Trim(w, ".,:!?()'\""))
		if w == "" || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz'-") != "" {
			continue
		}
		words++
		switch {
		case firewallWord(w):
			return false
		case article(w):
			articles++
		case link(w):
			links++
		}
	}
	return words*2 >= all && (words >= 2 && articles > 0 || words >= 3 && links > 0)
}

// signed reports whether a line has signs that sentences do without.
func signed(line string) bool {
	return strings.ContainsAny(line, "={}[]$|;") || strings.Contains(line, "&&")
}

// encoded reads a token of a file that is a text in base64. What that says is read once, and not decoded again.
func (sc *scanner) encoded(s string) {
	if !sc.file || len(s) < minEncoded {
		return
	}
	if i := strings.IndexByte(s, ':'); i > 0 && len(s)-i > minEncoded {
		sc.out = append(sc.out, sc.cloudID(s[i+1:])...)
	}
	for l := range strings.Lines(unwrapped(s)) {
		inner := scanner{reader: sc.reader, word: true, text: l} // within a line of a file
		rest := inner.urls(l)
		inner.read(rest, shapeOf(rest).first)
		sc.out = append(sc.out, inner.out...)
	}
}

// minEncoded is how long a token of a file must be to be taken for base64: shorter ones hide no full name with what stands around it.
const minEncoded = 16
