package estate

import (
	"cmp"
	"fmt"
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
	hosts     map[string][]Owner
	wildcards map[string][]Owner
	// domains are those above the hosts, and parents those directly above a host or wildcard, each with one owner of each tier that has any
	// below.
	domains, parents map[string][]Owner
	prefixes         map[netip.Prefix][]Owner
	// lengths are the prefix lengths in use, longest first, for IPv4 and IPv6: a lookup asks once for each.
	lengths4, lengths6 []int
	services           map[string][]Owner
	// resources by their canonical name; instances are those that are bare identifiers.
	resources, instances map[string][]Owner
	credentials          credentials
	names                map[string]int32
	// orphans are the times of creation of the data stores that name an environment which does not exist, by its name.
	orphans map[string][]time.Time
	// prints are the fingerprints of every host, wildcard and resource.
	prints hashes
}

func (e *Estate) addStores(in *Input) {
	hosts := 0
	sorted := make([]*v1alpha1.DataStore, 0, len(in.DataStores))
	for i := range in.DataStores {
		hosts += len(in.DataStores[i].Spec.Hosts)
		sorted = append(sorted, &in.DataStores[i])
	}
	e.stores = stores{
		hosts: make(map[string][]Owner, hosts), wildcards: map[string][]Owner{}, domains: map[string][]Owner{}, parents: map[string][]Owner{}, prefixes: map[netip.Prefix][]Owner{},
		services: map[string][]Owner{}, names: map[string]int32{}, orphans: map[string][]time.Time{}, resources: map[string][]Owner{}, instances: map[string][]Owner{},
		prints: makeHashes(hosts),
	}
	slices.SortFunc(sorted, func(a, b *v1alpha1.DataStore) int { return cmp.Compare(a.Name, b.Name) })
	for _, d := range sorted {
		e.addStore(d)
		in.yield(1 + len(d.Spec.Hosts))
	}
	descending := func(a, b int) int { return cmp.Compare(b, a) }
	slices.SortFunc(e.stores.lengths4, descending)
	slices.SortFunc(e.stores.lengths6, descending)
	e.noteStoreConflicts(in)
}

func (e *Estate) addStore(d *v1alpha1.DataStore) {
	env := e.environments[d.Spec.Environment]
	e.stores.names[d.Spec.Environment]++
	if env == nil {
		e.stores.orphans[d.Spec.Environment] = append(e.stores.orphans[d.Spec.Environment], d.CreationTimestamp.Time)
	}
	own := []Owner{{Store: d.Name, EnvironmentName: d.Spec.Environment, Environment: env}}
	for i, h := range d.Spec.Hosts {
		e.addHost(d, i, h, own)
	}
	for i, c := range d.Spec.CIDRs {
		p, err := netip.ParsePrefix(c)
		if err != nil {
			e.problem(v1alpha1.KindDataStore, d.Name, fmt.Sprintf("spec.cidrs[%d]", i), "%q is not an address range", c)
			continue
		}
		e.stores.addPrefix(p, own)
	}
	for _, s := range d.Spec.Services {
		add(e.stores.services, s.Namespace+"/"+s.Name, own)
	}
	for i, r := range d.Spec.ResourceNames {
		if !reference.HasForm(r) {
			e.notes[objectKey{v1alpha1.KindDataStore, d.Name}] = fmt.Sprintf("the whole spec is in force; spec.resourceNames[%d] %q has no known form, so only this spelling of it is found", i, r)
		}
		e.addResource(reference.CanonicalResource(r), own)
	}
	e.addCredentials(d.Spec.Credentials, own[0])
}

// add gives what is found by a key one more owner. Most have one, and all of a data store share it.
func add[K comparable](to map[K][]Owner, key K, own []Owner) {
	if owners := to[key]; len(owners) > 0 {
		to[key] = append(owners[:len(owners):len(owners)], own...)
		return
	}
	to[key] = own
}

// addResource notes a resource under each name that it goes by.
func (e *Estate) addResource(name string, own []Owner) {
	note := func(in map[string][]Owner, name string) {
		if !slices.Contains(in[name], own[0]) {
			add(in, name, own)
		}
	}
	if strings.ContainsAny(name, ":/.") {
		note(e.stores.resources, name)
		e.stores.print(reference.Target{Kind: reference.Resource, Name: name})
	}
	if !strings.ContainsAny(name, ":/") {
		note(e.stores.instances, name)
	}
	for _, bare := range bareNames(name) {
		note(e.stores.instances, bare)
	}
	if host := hostOf(name); host != "" {
		note(e.stores.hosts, host)
		e.stores.print(reference.Target{Name: host})
	}
	if project, instance, ok := sqlInstance(name); ok {
		note(e.stores.resources, "projects/"+project+"/instances/"+instance)
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
func (e *Estate) Resource(name string) []Owner { return e.stores.resources[name] }

// Instance returns the data stores that list a bare identifier, or a longer name of which it is all: scripts give a
// command line either.
func (e *Estate) Instance(name string) []Owner {
	if o := e.stores.instances[name]; len(o) > 0 {
		return o
	}
	return e.stores.resources[reference.CanonicalResource(name)]
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

func (e *Estate) addHost(d *v1alpha1.DataStore, i int, h string, own []Owner) {
	name, wild := strings.CutPrefix(h, "*.")
	n, ok := reference.NormaliseHost(name, true)
	switch {
	case !ok:
		e.problem(v1alpha1.KindDataStore, d.Name, fmt.Sprintf("spec.hosts[%d]", i), "%q is not a host", h)
	case n.Addr.IsValid():
		e.stores.addPrefix(netip.PrefixFrom(n.Addr, n.Addr.BitLen()), own)
	case wild:
		add(e.stores.wildcards, n.Name, own)
		e.stores.print(reference.Target{Name: "*." + n.Name})
		e.stores.addDomains("*."+n.Name, own)
	default:
		add(e.stores.hosts, n.Name, own)
		e.stores.print(reference.Target{Name: n.Name})
		e.stores.addDomains(n.Name, own)
	}
}

// addDomains notes the domains above a host, but for those at the top.
func (s *stores) addDomains(host string, own []Owner) {
	_, parent, ok := strings.Cut(host, ".")
	if !ok {
		return
	}
	addTier(s.parents, parent, own)
	for domain := parent; strings.Contains(domain, "."); _, domain, _ = strings.Cut(domain, ".") {
		if !addTier(s.domains, domain, own) {
			return // and above it, too
		}
	}
}

// addTier gives what is found by a key an owner of one more tier, and returns false if there is one of that tier.
func addTier(to map[string][]Owner, key string, own []Owner) bool {
	if slices.ContainsFunc(to[key], func(other Owner) bool { return other.Tier() == own[0].Tier() }) {
		return false
	}
	add(to, key, own)
	return true
}

// Under returns data stores that own a host below a domain, one of each tier that has any.
func (e *Estate) Under(domain string) []Owner {
	if o := e.stores.domains[domain]; len(o) > 0 {
		return o
	}
	return e.Host(domain)
}

// covered returns data stores that own a host which *.domain stands for. What a whole organisation is called by, as in *.example.com,
// stands for its direct children only: it says nothing of what lies deeper.
func (e *Estate) covered(domain string) []Owner {
	if o := e.stores.parents[domain]; len(o) > 0 {
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
	add(s.prefixes, p, own)
	lengths := &s.lengths6
	if p.Addr().Is4() {
		lengths = &s.lengths4
	}
	if !slices.Contains(*lengths, p.Bits()) {
		*lengths = append(*lengths, p.Bits())
	}
}

// Host returns the data stores that own a host: the exact name, else the longest wildcard.
func (e *Estate) Host(name string) []Owner {
	if o := e.stores.hosts[name]; len(o) > 0 {
		return o
	}
	for rest := name; ; {
		_, after, ok := strings.Cut(rest, ".")
		if !ok {
			return nil
		}
		if o := e.stores.wildcards[after]; len(o) > 0 {
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
	return e.stores.services[namespace+"/"+name]
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
	for name, owners := range e.stores.hosts {
		note(name, owners)
	}
	for name, owners := range e.stores.wildcards {
		note("*."+name, owners)
	}
	for key, owners := range e.stores.services {
		namespace, name, _ := strings.Cut(key, "/")
		note(name+"."+namespace+".svc", owners)
	}
	for p, owners := range e.stores.prefixes {
		note(p.String(), owners)
	}
}
