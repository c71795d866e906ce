package reference

import (
	"fmt"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/workload"
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
			out = append(out, in.at(fmt.Sprintf("%s.dnsConfig.nameservers[%d]", t.SpecPath(), i), s, in.find(s, "", HostPosition))...)
		}
		for i, s := range c.Searches {
			targets := append(in.searched(s), in.completed(t, s)...)
			out = append(out, in.at(fmt.Sprintf("%s.dnsConfig.searches[%d]", t.SpecPath(), i), s, targets)...)
		}
	}
	return out
}

// searched reads a domain: as the namespace that it is, and as what stands below it.
func (r *reader) searched(domain string) []Target {
	domain = strings.TrimRight(strings.ToLower(domain), ".")
	if len(domain) > maxHost {
		return nil
	}
	labels := strings.Split(domain, ".")
	if len(labels) >= 2 && labels[1] == "svc" {
		return r.namespace(labels[0])
	}
	if len(labels) == 1 {
		return nil
	}
	return r.keep(nil, Target{Name: domain, Unambiguous: true}, Target{Name: "*." + domain, Unambiguous: true})
}

// completed returns what the short names in a template's variables become with a domain that they are looked up in.
func (in *Input) completed(t *workload.Template, domain string) []Target {
	domain = strings.TrimRight(strings.ToLower(domain), ".")
	var out []Target
	for _, c := range t.Containers() {
		for _, e := range c.Env {
			if in.budget.Spend(targetCost) && isName(e.Value) && len(e.Value)+1+len(domain) <= maxHost {
				out = in.keep(out, Target{Name: e.Value + "." + domain, Unambiguous: true})
			}
		}
	}
	return out
}
