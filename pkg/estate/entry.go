package estate

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// place is where an entry of a data store is looked up.
type place uint8

const (
	inHosts place = iota
	inWildcards
	inServices
	inResources
	inInstances
	// inPrefixes is the last: these are found by an address, and the others by a name.
	inPrefixes
)

// entry is a name or a range by which a data store is found.
type entry struct {
	place  place
	name   string
	prefix netip.Prefix
	// below is true for hosts and wildcards that are declared as such, so that the domains above them lead to the data store.
	below bool
	// alias is true for another name of a resource that stands among the resources itself.
	alias bool
}

// entriesOf appends what a data store is found by, but for its credentials. complain is called for what can not be found by anything.
func entriesOf(d *v1alpha1.DataStore, out []entry, complain func(path, message string)) []entry {
	for i, h := range d.Spec.Hosts {
		name, wild := strings.CutPrefix(h, "*.")
		n, ok := reference.NormaliseHost(name, true)
		switch {
		case !ok:
			complain(fmt.Sprintf("spec.hosts[%d]", i), fmt.Sprintf("%q is not a host", h))
		case n.Addr.IsValid():
			out = append(out, entry{place: inPrefixes, prefix: canonical(netip.PrefixFrom(n.Addr, n.Addr.BitLen()))})
		case wild:
			out = append(out, entry{place: inWildcards, name: n.Name, below: true})
		default:
			out = append(out, entry{place: inHosts, name: n.Name, below: true})
		}
	}
	for i, c := range d.Spec.CIDRs {
		p, err := netip.ParsePrefix(c)
		if err != nil {
			complain(fmt.Sprintf("spec.cidrs[%d]", i), fmt.Sprintf("%q is not an address range", c))
			continue
		}
		out = append(out, entry{place: inPrefixes, prefix: canonical(p)})
	}
	for _, s := range d.Spec.Services {
		out = append(out, entry{place: inServices, name: s.Namespace + "/" + s.Name})
	}
	for _, r := range d.Spec.ResourceNames {
		out = resourceEntries(reference.CanonicalResource(r), out)
	}
	return out
}

// resourceEntries appends each name that a resource goes by.
func resourceEntries(name string, out []entry) []entry {
	if strings.ContainsAny(name, ":/.") {
		out = append(out, entry{place: inResources, name: name})
	}
	if !strings.ContainsAny(name, ":/") {
		out = append(out, entry{place: inInstances, name: name})
	}
	for _, bare := range bareNames(name) {
		out = append(out, entry{place: inInstances, name: bare})
	}
	if host := hostOf(name); host != "" {
		out = append(out, entry{place: inHosts, name: host})
	}
	if project, instance, ok := sqlInstance(name); ok {
		out = append(out, entry{place: inResources, name: "projects/" + project + "/instances/" + instance, alias: true})
	}
	return out
}

// word is the part of an entry that stands in each of its spellings.
func (x *entry) word() string {
	switch x.place {
	case inHosts:
		return reference.InEachSpelling(x.name)
	case inWildcards:
		return x.name
	}
	return x.name[strings.LastIndexAny(x.name, ":/")+1:]
}

// declared is the name of a host or a wildcard as it is declared.
func (x *entry) declared() string {
	if x.place == inWildcards {
		return "*." + x.name
	}
	return x.name
}
