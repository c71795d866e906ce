package reference

import (
	"fmt"
	"strings"
)

// dnsConfig finds the name servers that a Pod asks, and the domains in which its short names are looked up: with
// payments.svc.cluster.local among them, plain orders-db is production's.
func dnsConfig(in *Input) []Reference {
	var out []Reference
	for _, t := range in.templates() {
		c := t.Spec.DNSConfig
		if c == nil {
			continue
		}
		for i, s := range c.Nameservers {
			out = append(out, at(fmt.Sprintf("%s.dnsConfig.nameservers[%d]", t.SpecPath(), i), s, Find(s, "", HostPosition))...)
		}
		for i, s := range c.Searches {
			out = append(out, at(fmt.Sprintf("%s.dnsConfig.searches[%d]", t.SpecPath(), i), s, searched(s))...)
		}
	}
	return out
}

// searched reads a domain: as the namespace that it is, and as what stands below it.
func searched(domain string) []Target {
	domain = strings.TrimRight(strings.ToLower(domain), ".")
	labels := strings.Split(domain, ".")
	if len(labels) >= 2 && labels[1] == "svc" {
		return NamespaceTargets(labels[0])
	}
	if len(labels) == 1 {
		return nil
	}
	return []Target{{Name: domain, Strong: true}, {Name: "*." + domain, Strong: true}}
}
