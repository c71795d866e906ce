package estate

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// NamespaceNames returns the names of the cluster's namespaces, sorted.
func (e *Estate) NamespaceNames() []string { return slices.Sorted(maps.Keys(e.namespaces)) }

// OwnedRange is a range of addresses that data stores list, in spec.cidrs or as an address in spec.hosts.
type OwnedRange struct {
	// Prefix is the range in its shortest form: masked, and as IPv4 where it is mapped into IPv6.
	Prefix netip.Prefix
	// Owners are the data stores that list exactly this range. They must not be changed.
	Owners []Owner
}

// Ranges returns every range that data stores list, sorted by address and then from wide to narrow. An address belongs to the owners of the
// narrowest range that holds it, as Address says.
func (e *Estate) Ranges() []OwnedRange {
	out := make([]OwnedRange, 0, len(e.stores.prefixes))
	for p, owners := range e.stores.prefixes {
		out = append(out, OwnedRange{p, owners})
	}
	slices.SortFunc(out, func(a, b OwnedRange) int { return ComparePrefixes(a.Prefix, b.Prefix) })
	return out
}

// ComparePrefixes orders ranges by address, and those that begin alike from wide to narrow.
func ComparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// OwnedHost is a name that data stores list in spec.hosts or that one of their resources is reached by.
type OwnedHost struct {
	// Name is the normal form; one that begins with `*.` stands for every name below.
	Name string
	// Owners are the data stores that list exactly this name. They must not be changed.
	Owners []Owner
}

// Hosts returns every name that data stores list, sorted. Addresses are among Ranges.
func (e *Estate) Hosts() []OwnedHost {
	out := make([]OwnedHost, 0, e.stores.tables[inHosts].len()+e.stores.tables[inWildcards].len())
	for name, owners := range e.stores.tables[inHosts].all() {
		out = append(out, OwnedHost{name, owners})
	}
	for name, owners := range e.stores.tables[inWildcards].all() {
		out = append(out, OwnedHost{"*." + name, owners})
	}
	slices.SortFunc(out, func(a, b OwnedHost) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// OwnedService is a Service of the cluster that data stores list in spec.services.
type OwnedService struct {
	// Namespace and Name of the Service.
	Namespace, Name string
	// Owners are the data stores that list it. They must not be changed.
	Owners []Owner
}

// OwnedServices returns every Service that data stores list, sorted by namespace and name. One that is listed need not exist.
func (e *Estate) OwnedServices() []OwnedService {
	var out []OwnedService
	for key, owners := range e.stores.tables[inServices].all() {
		namespace, name, _ := strings.Cut(key, "/")
		out = append(out, OwnedService{namespace, name, owners})
	}
	slices.SortFunc(out, func(a, b OwnedService) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// ServiceAt returns what is known of a Service of the cluster, and whether it exists.
func (e *Estate) ServiceAt(namespace, name string) (Service, bool) {
	s, ok := e.services[namespace+"/"+name]
	return s, ok
}

// PodRanges returns the ranges that Kubernetes has given the nodes for their Pods, sorted, each once.
func (e *Estate) PodRanges() []netip.Prefix {
	var out []netip.Prefix
	for _, n := range e.nodes {
		out = append(out, n.PodRanges...)
	}
	slices.SortFunc(out, ComparePrefixes)
	return slices.Compact(out)
}
