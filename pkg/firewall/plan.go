package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// Input is everything that a Plan is made from.
type Input struct {
	// Estate says which namespaces, data stores and gateways belong to which tier.
	Estate *estate.Estate
	// At is the instant at which gateways count or have expired.
	At time.Time
	// APIServers are the addresses and ports of the API server: those of the Service default/kubernetes and of its endpoints.
	APIServers []netip.AddrPort
	// Pods are the ranges from which the cluster's Pods have their addresses. If it is empty, those count that Kubernetes has given the
	// nodes. Many network plugins let a range of addresses stand for Pods as well, so a range that is open to the world must leave them out.
	Pods []netip.Prefix
	// Cilium is true if Cilium's policies are served, which can open a name.
	Cilium bool
}

// Plan is the network policies of a cluster. It is immutable.
type Plan struct {
	in         Input
	namespaces []string
	tiers      map[string]v1alpha1.Tier
	pods       []netip.Prefix
	reaches    map[v1alpha1.Tier]reach
	passages   []passage
	groups     map[string]*group
	// of is the group of each isolated namespace, and entrances are its policies for gateways.
	of        map[string]*group
	entrances map[string][]entrance
	expires   time.Time
	obstacles []string
	notes     []string
	// unnamed says which names are not opened because they are too many.
	unnamed []string
	// bytes is the size of all policies, and largest that of the largest.
	bytes, largest int
}

// MostBytes is how large all policies may be together, in bytes of JSON. The store of a cluster holds 2 GiB by default and keeps what was
// replaced for five minutes; a cluster whose store is full accepts no writes at all.
const MostBytes = 256 << 20

// MostPolicyBytes is how large one policy may be, in bytes of JSON. The store of a cluster takes an object of 1.5 MiB.
const MostPolicyBytes = 1 << 20

// MostRanges is how many ranges of Pods may be excepted, after neighbours were put together.
const MostRanges = 256

// Compile makes a plan. It never fails: Obstacles says what keeps the plan from being applied, and Notes what it cannot do.
func Compile(in Input) *Plan {
	p := &Plan{
		in: in, namespaces: in.Estate.NamespaceNames(), tiers: map[string]v1alpha1.Tier{}, reaches: map[v1alpha1.Tier]reach{},
		groups: map[string]*group{}, of: map[string]*group{}, entrances: map[string][]entrance{},
	}
	p.pods = in.Pods
	if len(p.pods) == 0 {
		p.pods = in.Estate.PodRanges()
	}
	p.pods = fewest(p.pods)
	for _, ns := range p.namespaces {
		m, _ := in.Estate.Namespace(ns)
		p.tiers[ns] = m.SubjectTier()
	}
	ranges := in.Estate.Ranges()
	for _, tier := range isolated() {
		p.reaches[tier] = reachOf(tier, ranges, p.pods)
	}
	p.findPassages()
	for _, ns := range p.namespaces {
		if p.isolates(ns) {
			g := p.groupOf(ns)
			p.of[ns] = g
			p.bytes += g.bytes
		}
	}
	p.findEntrances()
	p.findObstacles()
	p.takeNotes()
	return p
}

// isolated returns the tiers that are kept apart. What is Shared serves both.
func isolated() []v1alpha1.Tier {
	return []v1alpha1.Tier{v1alpha1.TierProduction, v1alpha1.TierNonProduction}
}

// isolates reports whether a namespace gets policies.
func (p *Plan) isolates(namespace string) bool {
	return slices.Contains(isolated(), p.tiers[namespace])
}

// Namespaces returns the namespaces that get policies, sorted.
func (p *Plan) Namespaces() []string {
	return slices.DeleteFunc(slices.Clone(p.namespaces), func(ns string) bool { return !p.isolates(ns) })
}

// Planned is one policy of a plan.
type Planned struct {
	// NetworkPolicy is what is to be stored. It must not be changed.
	*networkingv1.NetworkPolicy
	// Digest is that of its spec.
	Digest string
}

// Planned returns the policies of a namespace. It returns none for a namespace that is Shared or unknown.
func (p *Plan) Planned(namespace string) []Planned {
	g := p.of[namespace]
	if g == nil {
		return nil
	}
	var out []Planned
	for i := range g.specs {
		out = append(out, Planned{policy(namespace, partName(i), string(p.tiers[namespace]), g.specs[i]), g.digests[i]})
	}
	for _, e := range p.entrances[namespace] {
		out = append(out, Planned{policy(namespace, e.name, ValueGateway, e.spec), Digest(&e.spec)})
	}
	return out
}

// Policies returns the NetworkPolicies of a namespace as Planned does. They must not be changed.
func (p *Plan) Policies(namespace string) []*networkingv1.NetworkPolicy {
	var out []*networkingv1.NetworkPolicy
	for _, one := range p.Planned(namespace) {
		out = append(out, one.NetworkPolicy)
	}
	return out
}

// Obstacles says why the plan must not be applied, each in a whole sentence. It is empty if it may be.
func (p *Plan) Obstacles() []string { return p.obstacles }

// Notes says what the plan cannot keep apart, or what somebody may not expect of it, each in a whole sentence.
func (p *Plan) Notes() []string { return p.notes }

// Expires returns the instant at which the first gateway of the plan expires, and another plan is due. It is zero if none does.
func (p *Plan) Expires() time.Time { return p.expires }

// Bytes returns the size of all policies in JSON, without their metadata.
func (p *Plan) Bytes() int { return p.bytes }

// PodRanges returns the ranges of Pods that the plan goes by, in as few prefixes as they take.
func (p *Plan) PodRanges() []netip.Prefix { return p.pods }

// Stray reports whether the address of a Pod lies in none of the ranges that the plan takes for those of Pods: then some network plugins take
// the Pod for a host outside of the cluster.
func (p *Plan) Stray(pod netip.Addr) bool {
	return !slices.ContainsFunc(p.pods, func(r netip.Prefix) bool { return r.Contains(pod.Unmap()) })
}

// StrayPods says that Pods have addresses that are stray. pod is the first of them, by namespace/name.
func (p *Plan) StrayPods(n int, pod string, address netip.Addr) string {
	return fmt.Sprintf("%d addresses of Pods, such as %s of %s, lie in none of the ranges that are taken for those of Pods (%s): where a network plugin lets a range stand for Pods, these count as hosts outside of the cluster. Name all ranges in firewall.podCIDRs of the chart, or with --pod-cidr.",
		n, address, pod, joined(p.pods))
}

func joined(ranges []netip.Prefix) string {
	out := make([]string, len(ranges))
	for i, r := range ranges {
		out[i] = r.String()
	}
	return strings.Join(out, ", ")
}

func (p *Plan) findObstacles() {
	say := func(format string, args ...any) { p.obstacles = append(p.obstacles, fmt.Sprintf(format, args...)) }
	switch {
	case len(p.pods) == 0:
		say("The addresses of Pods are not known, since no node states spec.podCIDRs; set firewall.podCIDRs of the chart, or --pod-cidr. " +
			"Without them the policies would let everybody reach every Pod by its address.")
	case len(p.pods) > MostRanges:
		say("The nodes' ranges of Pods are %d, even with neighbours put together, and at most %d can be left out; set firewall.podCIDRs of the chart, or --pod-cidr, to the wider range that they are taken from.", len(p.pods), MostRanges)
	}
	if len(p.in.APIServers) == 0 {
		say("The addresses of the API server are not known, since neither the Service default/kubernetes nor its endpoints could be read.")
	}
	if p.largest > MostPolicyBytes {
		say("A policy would take %d KiB, and at most %d KiB are sure to be stored: fewer and wider ranges of data stores, or fewer namespaces of Production, make it smaller.", p.largest>>10, MostPolicyBytes>>10)
	}
	if p.bytes > MostBytes {
		say("The policies would take %d MiB, and the store of the cluster is safe with %d MiB: each names all namespaces of Production, so fewer of these make them smaller.", p.bytes>>20, MostBytes>>20)
	}
}

func (p *Plan) takeNotes() {
	say := func(format string, args ...any) { p.notes = append(p.notes, fmt.Sprintf(format, args...)) }
	if unclaimed := p.unclaimed(); len(unclaimed) > 0 {
		say("No environment claims %s, which counts as NonProduction: Production cannot reach it, nor be reached from it. What serves both sides, such as an ingress controller, belongs into an environment of tier Shared.", some(unclaimed, "namespace"))
	}
	if stores := p.withoutAddresses(); len(stores) > 0 {
		say("No address is known of %s, and no NetworkPolicy can deny a name: what its hosts resolve to belongs into spec.cidrs.", some(stores, "data store"))
	}
	for _, s := range p.in.Estate.OwnedServices() {
		o := s.Owners[0]
		if p.tiers[s.Namespace] == v1alpha1.TierShared && o.Tier() != v1alpha1.TierShared {
			say("Service %s/%s of data store %q (%s) lies in a Shared namespace, which both sides may reach.", s.Namespace, s.Name, o.Store, o.Tier())
		}
	}
	for _, x := range p.passages {
		if x.note != "" {
			say("%s", x.note)
		}
	}
	p.notes = append(p.notes, p.unnamed...)
}

// unclaimed returns the namespaces that belong to no environment.
func (p *Plan) unclaimed() []string {
	return slices.DeleteFunc(slices.Clone(p.namespaces), func(ns string) bool {
		m, _ := p.in.Estate.Namespace(ns)
		return !m.Unassigned()
	})
}

// withoutAddresses returns the data stores that are known by names only, sorted.
func (p *Plan) withoutAddresses() []string {
	addressed := map[string]bool{}
	for _, r := range p.in.Estate.Ranges() {
		for _, o := range r.Owners {
			addressed[o.Store] = true
		}
	}
	var out []string
	for _, h := range p.in.Estate.Hosts() {
		for _, o := range h.Owners {
			if !addressed[o.Store] {
				out = append(out, o.Store)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// some names a few of many: `namespace "a"`, `each of 4 namespaces ("a", "b", "c", …)`.
func some(names []string, what string) string {
	const most = 3
	quoted := make([]string, 0, most+1)
	for _, n := range names[:min(most, len(names))] {
		quoted = append(quoted, fmt.Sprintf("%q", n))
	}
	if len(names) == 1 {
		return what + " " + quoted[0]
	}
	if len(names) > most {
		quoted = append(quoted, "…")
	}
	return fmt.Sprintf("each of %d %ss (%s)", len(names), what, strings.Join(quoted, ", "))
}
