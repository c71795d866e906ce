package reference

import "strings"

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
// reaching; each entry has its rows in testdata/hush.tsv, in both directions.
func hushOf(name string) hush {
	if name == "" || len(name) > maxKeyName {
		return 0
	}
	var out hush
	var last string
	for last = range nameWords(name) {
		out |= hushWord(last)
	}
	out |= hushLastWord(last)
	return out | hushPhrase(squeezed(name))
}

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

// hushPhrase: what several words of a name say together.
func hushPhrase(s string) hush {
	for _, p := range []string{"noproxy", "nonproxyhosts", "proxybypass", "bypassproxy", "dashboardurl", "dashboardlink", "silenceurl", "generatorurl", "krb5"} {
		if strings.Contains(s, p) {
			return hushAll
		}
	}
	for _, p := range []string{"sourcerange", "trustedprox", "realip", "forwardedallowips", "allowedips", "allowedcidr", "allowfrom"} {
		if strings.Contains(s, p) {
			return hushNumbers
		}
	}
	for _, p := range []string{"imagename", "imagerepository", "imageregistry", "imagetag"} {
		if strings.HasSuffix(s, p) {
			return hushPaths | hushNumbers
		}
	}
	return 0
}
