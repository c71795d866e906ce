package reference

import (
	"slices"
	"strings"
)

// hush says what in a place speaks without reaching: what it holds back is not a reference, though it is spelled like one.
type hush uint8

const (
	// hushAll holds everything back: lists of what is not to be reached, queries and links of alerts, prose, Kerberos principals.
	hushAll hush = 1 << iota
	// hushNumbers holds addresses and ranges back: versions, and who may come in.
	hushNumbers
	// hushPaths holds names back that a path follows: images.
	hushPaths
	// hushMail holds user@domain back: senders and recipients of mail.
	hushMail
	// hushShort holds Services back that are spelled by one or two labels: the public names that something is reached by look the
	// same.
	hushShort
	// hushWild holds back what only a wildcard finds: the groups of an API are spelled like hosts of the organisation.
	hushWild
)

// hushOf says what the name of a variable, flag, key or field holds back. It is the one list of places that speak without
// reaching; its words stand in vocabulary.go. A word that says so counts only where the name goes on with nothing but words for hosts and
// lists of them: FORBIDDEN_HOSTS is a list of what is not reached, and TOKEN_BLACKLIST_REDIS_URL is a database.
func hushOf(name string) hush {
	if name == "" || len(name) > maxKeyName {
		return 0
	}
	var out, here hush
	var last string
	words := 0
	for last = range nameWords(name) {
		words++
		if h := hushWord(last); h != 0 {
			out |= h & hushMail
			here = h &^ hushMail
		} else if !neutral(last) {
			here = 0
		}
	}
	out |= here | hushLastWord(last)
	if squeezed := squeezed(name); len(squeezed) >= minPhrase {
		out |= hushPhrase(squeezed)
		if outward(squeezed) {
			out &^= hushNumbers
		}
	}
	if words == 1 {
		out |= hushOnlyWord(last)
	}
	return out
}

// admits reports whether a line of a file is a directive by which a server says who may come in.
func admits(line string) bool {
	line = line[:min(len(line), maxDirective)]
	first := strings.ToLower(line[:indexAny(line, " \t=:{")])
	if inbound(first) || exported(line) || letsIn(line) {
		return true
	}
	switch words := strings.Fields(line); {
	case first == "match" && len(words) > 2:
		return strings.EqualFold(words[1], "address") || strings.EqualFold(words[1], "localaddress") // sshd
	case (first == "host" || first == "hostgssenc" || first == "hostnogssenc") && len(words) > 4:
		return slices.ContainsFunc(words[4:], authenticates) // pg_hba.conf
	}
	return false
}

// maxDirective is how much of a line is looked at for that, in bytes.
const maxDirective = 512

// minPhrase and maxPhrase are the lengths of the shortest and the longest phrase of the list.
const minPhrase, maxPhrase = len("noproxy"), len("allowedclientcidrs")

// outward reports whether a name is about what is sent out, in which case its ranges are reached.
func outward(s string) bool { return strings.Contains(s, "egress") || strings.Contains(s, "outbound") }

// squeezed returns a name in lower case without what divides its words.
func squeezed(name string) string {
	b := make([]byte, 0, maxKeyName)
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'A' && c <= 'Z':
			b = append(b, c+'a'-'A')
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			b = append(b, c)
		}
	}
	return string(b)
}

// hushPhrase: what several words of a name say together, as its end.
func hushPhrase(s string) hush {
	for begin := max(0, len(s)-maxPhrase); len(s)-begin >= minPhrase; begin++ {
		switch s[begin:] {
		case "noproxy", "noproxyhosts", "noproxylist", "nonproxyhosts", "nonproxy", "proxybypass", "bypassproxy", "proxybypasslist", "proxyexceptions",
			"proxyexclusions", "dashboardurl", "dashboardlink", "runbookurl", "runbooklink", "playbookurl", "silenceurl", "generatorurl":
			return hushAll
		case "sourceip", "directremoteip", "remoteip", "sourcerange", "sourceranges", "trustedproxy", "trustedproxies", "trustedproxyips", "trustproxy", "realipfrom", "realipcidr", "forwardedallowips",
			"allowedips", "allowedcidrs", "allowfrom", "allowedclientcidrs", "clientcidrs", "inboundcidrs", "allowlist", "internalproxies", "internalproxy":
			return hushNumbers
		case "imagename", "imagerepository", "imageregistry", "imagetag":
			return hushPaths | hushNumbers | hushWild
		case "corsorigin", "corsorigins", "alloworigin", "allowedorigin", "allowedorigins", "trustedorigins", "weborigins", "csrforigins", "redirecturi",
			"redirecturis":
			return hushShort
		case "mailfrom", "emailfrom", "smtpfrom", "fromemail", "fromaddress", "fromaddr", "emaildomain", "emaildomains", "maildomain":
			return hushMail | hushWild
		}
	}
	return 0
}
