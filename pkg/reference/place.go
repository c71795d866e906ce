package reference

import "strings"

// place is what kind of thing a field or key names, where its name alone does not say so.
type place int

const (
	// anyPlace is one whose text says what it is.
	anyPlace place = iota
	// namespacePlace names namespaces of the cluster.
	namespacePlace
	// foreignNamespace names what another system calls a namespace.
	foreignNamespace
	// pairPlace names something as namespace/name.
	pairPlace
	// publicHost names what something is reached by from outside: short names there are not Services.
	publicHost
	// inboundPlace names who may come in.
	inboundPlace
)

// row says what a key is below another key, in objects of some kinds. Empty: whatever the kind, or wherever it stands.
type row struct {
	kinds, above, keys string
	is                 place
}

// rows is the table of places. To teach Firebreak a product, add a row. Words are in lower case and divided by blanks; a key matches as a
// whole, and one above it if it contains the word.
func rows() [10]row {
	return [...]row{
		{"", "temporal cadence nacos vault openbao conjur consul nomad servicebus eventhub pulsar doppler", "namespace", foreignNamespace},
		{"scaledobject scaledjob", "metadata", "namespace", foreignNamespace},
		{"vaultconnection vaultauth vaultauthglobal vaultstaticsecret vaultdynamicsecret vaultpkisecret", "", "namespace", foreignNamespace},
		{"", "sdconfigs sd_configs", "names", namespacePlace},
		{"virtualservice destinationrule serviceentry", "", "exportto", namespacePlace},
		{"", "fromvirtual", "from", foreignNamespace},
		{"", "fromhost maphostservices mapservices replicateservices", "from", pairPlace},
		{"", "", "hostservice", pairPlace},
		{"authorizationpolicy", "", "ipblocks remoteipblocks", inboundPlace},
		{"ingress httproute tlsroute grpcroute tcproute gateway certificate route ingressroute ingressroutetcp dnsendpoint", "", "dnsname main sans host hosts hostname hostnames dnsnames commonname", publicHost},
	}
}

// placeOf looks a key up. above yields the keys above it, the nearest first.
func placeOf(kind, key string, above func(yield func(string) bool)) place {
	key = strings.ToLower(key)
	all := rows()
	for i := range all {
		r := &all[i]
		if listed(r.keys, key) && (r.kinds == "" || listed(r.kinds, strings.ToLower(kind))) && (r.above == "" || below(above, r.above)) {
			return r.is
		}
	}
	return anyPlace
}

// listed reports whether a word is one of a list's.
func listed(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}

// below reports whether one of the keys above contains one of the words.
func below(above func(yield func(string) bool), words string) bool {
	n := 0
	for key := range above {
		if n++; n > maxLevels {
			return false
		}
		for w := range strings.FieldsSeq(words) {
			if len(key) <= maxKeyName && strings.Contains(strings.ToLower(key), w) {
				return true
			}
		}
	}
	return false
}

// above yields the keys above the end of the trail, the nearest first.
func (p trail) above(yield func(string) bool) {
	for at := p.up; at != nil; at = at.up {
		if at.key != "" && !yield(at.key) {
			return
		}
	}
}
