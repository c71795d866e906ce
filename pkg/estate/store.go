package estate

import (
	"cmp"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// Owner is a data store that owns a host, an address or a Service.
type Owner struct {
	// Store is the DataStore's name.
	Store string
	// EnvironmentName as the DataStore gives it; Environment is nil if no such Environment exists.
	EnvironmentName string
	Environment     *Environment
}

// Tier of the owner; Production where its environment does not exist: for non-production subjects that is the
// stricter reading.
func (o Owner) Tier() v1alpha1.Tier {
	if o.Environment == nil {
		return v1alpha1.TierProduction
	}
	return o.Environment.Tier
}

type stores struct {
	// tables hold what is looked up by a name: hosts, wildcards, Services, resources by their canonical name, and instances, which are those that
	// are bare identifiers.
	tables [inPrefixes]table
	// domains are those above the hosts, and parents those directly above a host or wildcard, each with one owner of each tier that has any
	// below.
	domains, parents table
	prefixes         map[netip.Prefix][]Owner
	// lengths are the prefix lengths in use, longest first, for IPv4 and IPv6: a lookup asks once for each.
	lengths4, lengths6 []int
	credentials        credentials
	names              map[string]int32
	// orphans are the times of creation of the data stores that name an environment which does not exist, by its name.
	orphans map[string][]time.Time
	// prints are the fingerprints of every host, wildcard and resource.
	prints layered
	// resources is true if some host is that of a resource.
	resources bool
}

func (e *Estate) addStores(in *Input) {
	hosts := 0
	sorted := make([]*v1alpha1.DataStore, 0, len(in.DataStores))
	for i := range in.DataStores {
		hosts += len(in.DataStores[i].Spec.Hosts)
		sorted = append(sorted, &in.DataStores[i])
	}
	e.stores = stores{
		domains: makeTable(0), parents: makeTable(0), prefixes: map[netip.Prefix][]Owner{}, names: map[string]int32{}, orphans: map[string][]time.Time{},
		prints: makeLayered(hosts),
	}
	for i := range e.stores.tables {
		e.stores.tables[i] = makeTable(0)
	}
	e.stores.tables[inHosts] = makeTable(hosts)
	slices.SortFunc(sorted, func(a, b *v1alpha1.DataStore) int { return cmp.Compare(a.Name, b.Name) })
	var entries []entry
	for _, d := range sorted {
		entries = e.addStore(d, entries[:0])
		in.yield(1 + len(d.Spec.Hosts))
	}
	e.noteStoreConflicts(in)
}

// addStore adds a data store. It returns its entries, in the memory that it is given.
func (e *Estate) addStore(d *v1alpha1.DataStore, entries []entry) []entry {
	env := e.environments[d.Spec.Environment]
	e.stores.names[d.Spec.Environment]++
	if env == nil {
		e.stores.orphans[d.Spec.Environment] = append(e.stores.orphans[d.Spec.Environment], d.CreationTimestamp.Time)
	}
	own := []Owner{{Store: d.Name, EnvironmentName: d.Spec.Environment, Environment: env}}
	entries = entriesOf(d, entries, func(path, message string) { e.problem(v1alpha1.KindDataStore, d.Name, path, "%s", message) })
	for i := range entries {
		e.stores.add(&entries[i], own)
	}
	for i, r := range d.Spec.ResourceNames {
		if !reference.HasForm(r) {
			e.notes[objectKey{v1alpha1.KindDataStore, d.Name}] = fmt.Sprintf("the whole spec is in force; spec.resourceNames[%d] %q has no known form, so only this spelling of it is found", i, r)
		}
	}
	e.addCredentials(d.Spec.Credentials, own[0])
	return entries
}

// add gives an entry one more owner.
func (s *stores) add(x *entry, own []Owner) {
	switch x.place {
	case inPrefixes:
		s.addPrefix(x.prefix, own)
		return
	case inHosts:
		s.print(reference.Target{Name: x.name})
		s.resources = s.resources || !x.below
	case inWildcards:
		s.print(reference.Target{Name: "*." + x.name})
	case inResources:
		if !x.alias {
			s.print(reference.Target{Kind: reference.Resource, Name: x.name})
		}
	}
	s.tables[x.place].add(x.name, own)
	if x.below {
		s.addDomains(x.declared(), own)
	}
}

// print notes the fingerprint of a name.
func (s *stores) print(t reference.Target) { s.prints.add(uint64(t.Print()), 1) }

// Declares reports whether a fingerprint is that of a host, a wildcard or a resource of some data store.
func (e *Estate) Declares(p reference.Print) bool {
	return e.stores.prints.bits(uint64(p)) != 0
}

// bareNames returns how programs that know the cloud call a resource: by the last part of its name alone, where only such a name can
// stand.
func bareNames(canonical string) []string {
	scheme, rest, ok := strings.Cut(canonical, "://")
	switch {
	case strings.HasPrefix(canonical, "arn:"):
		last := canonical[strings.LastIndexAny(canonical, ":/")+1:]
		return []string{last}
	case !ok:
		return nil
	case scheme == "https":
		account, _, isBlob := strings.Cut(rest, ".blob.core.")
		if isBlob {
			return []string{account}
		}
		if _, path, ok := strings.Cut(rest, "/"); ok && !strings.Contains(path, "/") {
			return []string{path}
		}
	case !strings.Contains(rest, "/"):
		return []string{rest}
	}
	return nil
}

// hostOf returns the host of a resource that is all of a host: nobody else's can have its name.
func hostOf(canonical string) string {
	scheme, rest, ok := strings.Cut(canonical, "://")
	switch scheme {
	case "s3", "gs", "oss", "oci", "cos", "cosn", "obs", "swift", "b2", "arn":
		return "" // a bucket
	}
	rest, _, _ = strings.Cut(rest, ":")
	if h, valid := reference.NormaliseHost(rest, false); ok && valid && !h.Addr.IsValid() {
		return h.Name
	}
	return ""
}

// sqlInstance splits project:region:instance, the connection name of an instance of Cloud SQL.
func sqlInstance(canonical string) (project, instance string, ok bool) {
	parts := strings.Split(canonical, ":")
	if len(parts) != 3 || strings.ContainsAny(canonical, "/ ") {
		return "", "", false
	}
	return parts[0], parts[2], true
}

// Resource returns the data stores that list a cloud resource by one of its names.
func (e *Estate) Resource(name string) []Owner { return e.stores.tables[inResources].get(name) }

// Instance returns the data stores that list a bare identifier, or a longer name of which it is all: scripts give a
// command line either.
func (e *Estate) Instance(name string) []Owner {
	if o := e.stores.tables[inInstances].get(name); len(o) > 0 {
		return o
	}
	return e.stores.tables[inResources].get(reference.CanonicalResource(name))
}

// Within returns the data stores that own a whole range of addresses.
func (e *Estate) Within(cidr string) []Owner {
	p, err := netip.ParsePrefix(cidr)
	if err != nil {
		return nil
	}
	p = canonical(p)
	lengths := e.stores.lengths6
	if p.Addr().Is4() {
		lengths = e.stores.lengths4
	}
	for _, bits := range lengths {
		if bits > p.Bits() {
			continue
		}
		if wider, err := p.Addr().Prefix(bits); err == nil && len(e.stores.prefixes[wider]) > 0 {
			return e.stores.prefixes[wider]
		}
	}
	return nil
}

// addDomains notes the domains above a name, but for those at the top.
func (s *stores) addDomains(name string, own []Owner) {
	if _, parent, ok := strings.Cut(name, "."); ok {
		addTier(&s.parents, parent, own)
	}
	for domain := range domainsAbove(name) {
		if !addTier(&s.domains, domain, own) {
			return // and above it, too
		}
	}
}

// domainsAbove yields the domains above a name, but for those at the top, the nearest first.
func domainsAbove(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		_, domain, _ := strings.Cut(name, ".")
		for strings.Contains(domain, ".") && yield(domain) {
			_, domain, _ = strings.Cut(domain, ".")
		}
	}
}

// addTier gives a domain an owner of one more tier, and returns false if there is one of that tier.
func addTier(to *table, domain string, own []Owner) bool {
	owners := to.get(domain)
	if slices.ContainsFunc(owners, func(other Owner) bool { return other.Tier() == own[0].Tier() }) {
		return false
	}
	to.set(domain, withOwner(owners, own))
	return true
}

// Under returns data stores that own a host below a domain, one of each tier that has any.
func (e *Estate) Under(domain string) []Owner {
	if o := e.stores.domains.get(domain); len(o) > 0 {
		return o
	}
	return e.Host(domain)
}

// covered returns data stores that own a host which *.domain stands for. What a whole organisation is called by, as in *.example.com,
// stands for its direct children only: it says nothing of what lies deeper.
func (e *Estate) covered(domain string) []Owner {
	if o := e.stores.parents.get(domain); len(o) > 0 {
		return o
	}
	if own, err := publicsuffix.EffectiveTLDPlusOne(domain); err != nil || own == domain {
		return nil
	}
	return e.Under(domain)
}

// canonical masks a range, and gives one that is mapped into IPv6 as the IPv4 range that it is.
func canonical(p netip.Prefix) netip.Prefix {
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

func (s *stores) addPrefix(p netip.Prefix, own []Owner) {
	p = canonical(p)
	s.prefixes[p] = withOwner(s.prefixes[p], own)
	lengths := &s.lengths6
	if p.Addr().Is4() {
		lengths = &s.lengths4
	}
	at, known := slices.BinarySearchFunc(*lengths, p.Bits(), func(a, b int) int { return cmp.Compare(b, a) })
	if !known {
		*lengths = slices.Insert(slices.Clone(*lengths), at, p.Bits())
	}
}

// Host returns the data stores that own a host: the exact name, else the longest wildcard.
func (e *Estate) Host(name string) []Owner {
	if o := e.stores.tables[inHosts].get(name); len(o) > 0 {
		return o
	}
	for rest := name; ; {
		_, after, ok := strings.Cut(rest, ".")
		if !ok {
			return nil
		}
		if o := e.stores.tables[inWildcards].get(after); len(o) > 0 {
			return o
		}
		rest = after
	}
}

// Address returns the data stores that own an address: those of the longest range that contains it.
func (e *Estate) Address(a netip.Addr) []Owner {
	a = a.Unmap()
	lengths := e.stores.lengths6
	if a.Is4() {
		lengths = e.stores.lengths4
	}
	for _, bits := range lengths {
		p, err := a.Prefix(bits)
		if err != nil {
			continue
		}
		if o := e.stores.prefixes[p]; len(o) > 0 {
			return o
		}
	}
	return nil
}

// Service returns the data stores that own a Service.
func (e *Estate) Service(namespace, name string) []Owner {
	return e.stores.tables[inServices].get(namespace + "/" + name)
}

// CountStores returns how many data stores name an environment.
func (e *Estate) CountStores(env string) int32 { return e.stores.names[env] }

// CountOrphans returns how many data stores name an environment that does not exist, and have done so for an hour. A younger one may have been
// declared together with its environment, and before it.
func (e *Estate) CountOrphans(env string, at time.Time) int {
	n := 0
	for _, created := range e.stores.orphans[env] {
		if at.Sub(created) >= freeBoundary {
			n++
		}
	}
	return n
}

func (e *Estate) noteStoreConflicts(in *Input) {
	note := func(entry string, owners []Owner) {
		in.yield(1)
		for _, o := range owners {
			if o.EnvironmentName != owners[0].EnvironmentName {
				for _, c := range owners {
					e.conflicts[objectKey{v1alpha1.KindDataStore, c.Store}] =
						fmt.Sprintf("%q is claimed by data stores of several environments; the rule of either tier applies", entry)
				}
				return
			}
		}
	}
	for name, owners := range e.stores.tables[inHosts].all() {
		note(name, owners)
	}
	for name, owners := range e.stores.tables[inWildcards].all() {
		note("*."+name, owners)
	}
	for key, owners := range e.stores.tables[inServices].all() {
		namespace, name, _ := strings.Cut(key, "/")
		note(name+"."+namespace+".svc", owners)
	}
	for p, owners := range e.stores.prefixes {
		note(p.String(), owners)
	}
}
