package estate

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// Overlapping returns the data stores that own a host, or part of what a wildcard over it would own. It looks at every
// entry: it is asked when a DataStore is written, not when a workload is.
func (e *Estate) Overlapping(h reference.Target, wildcard bool) []Owner {
	if h.Addr.IsValid() {
		return e.Address(h.Addr)
	}
	out := append([]Owner{}, e.Host(h.Name)...)
	if !wildcard {
		return out
	}
	for _, at := range []place{inHosts, inWildcards} {
		for name, owners := range e.stores.tables[at].all() {
			if name == h.Name || strings.HasSuffix(name, "."+h.Name) {
				out = append(out, owners...)
			}
		}
	}
	return byName(append(out, e.Host("x."+h.Name)...))
}

// byName sorts owners, so that whoever asks names the same one.
func byName(owners []Owner) []Owner {
	slices.SortStableFunc(owners, func(a, b Owner) int { return cmp.Compare(a.Store, b.Store) })
	return owners
}

// OverlappingRange returns the data stores that own part of an address range.
func (e *Estate) OverlappingRange(cidr string) []Owner {
	p, err := netip.ParsePrefix(cidr)
	if err != nil {
		return nil
	}
	p = canonical(p)
	var out []Owner
	for q, owners := range e.stores.prefixes {
		if q.Overlaps(p) {
			out = append(out, owners...)
		}
	}
	return byName(out)
}

// ServiceClaim names the Production environment whose Services a host, or a wildcard over it, would take: the host is a
// Service's DNS name in one of its namespaces, or the wildcard covers such names. Empty: none.
func (e *Estate) ServiceClaim(h reference.Target, wildcard bool) string {
	if !wildcard {
		h.Unambiguous = true
		if _, ns, ok := e.serviceOf(h, ""); ok {
			return firstProduction(e.NamespaceOrName(ns))
		}
		return ""
	}
	name := strings.TrimSuffix(h.Name, "."+clusterDomain)
	if h.Name == clusterDomain || h.Name == "local" || name == "svc" || name == "pod" {
		for _, env := range e.Production() {
			return env.Name
		}
		return ""
	}
	labels := strings.Split(strings.TrimSuffix(name, ".svc"), ".")
	return firstProduction(e.NamespaceOrName(labels[len(labels)-1]))
}

func firstProduction(m Membership) string {
	for _, env := range m.Production() {
		return env.Name
	}
	return ""
}

// ProductionClaim names a Production environment that owns, or whose patterns may own, namespaces of a glob; empty if
// none does.
func (e *Estate) ProductionClaim(g v1alpha1.Glob) string {
	claim := ""
	for name, m := range e.namespaces {
		if prod := m.Production(); len(prod) > 0 && Match(g, name) && (claim == "" || prod[0].Name < claim) {
			claim = prod[0].Name
		}
	}
	if claim != "" {
		return claim
	}
	for _, env := range e.Production() {
		for _, p := range env.spec.Namespaces.Names {
			if globsMeet(string(g), string(p)) {
				return env.Name
			}
		}
	}
	return ""
}

// globsMeet reports whether some name could match both globs: their fixed beginnings and endings agree.
func globsMeet(a, b string) bool {
	if !strings.ContainsAny(a, "*?") {
		return match(b, a)
	}
	if !strings.ContainsAny(b, "*?") {
		return match(a, b)
	}
	headA, headB := a[:strings.IndexAny(a, "*?")], b[:strings.IndexAny(b, "*?")]
	tailA, tailB := a[strings.LastIndexAny(a, "*?")+1:], b[strings.LastIndexAny(b, "*?")+1:]
	heads := strings.HasPrefix(headA, headB) || strings.HasPrefix(headB, headA)
	tails := strings.HasSuffix(tailA, tailB) || strings.HasSuffix(tailB, tailA)
	return heads && tails
}
