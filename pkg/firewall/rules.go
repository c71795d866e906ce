package firewall

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// mostNames is how many namespaces one policy lists. A name has at most 63 characters and is listed twice, so that a policy stays below
// 300 KB; the API server's store takes 1.5 MB. The rest goes into another policy of the namespace, since policies add up. Names that a
// policy leaves out cannot be spread like this: they are those of Production, each of which has a policy with all of them, so that MostBytes
// is reached before they are 4,000.
const mostNames = 2000

// group is what the policies of namespaces have in common that are of one tier and use the same gateways.
type group struct {
	specs []networkingv1.NetworkPolicySpec
	// digests tell specs apart; there is one for each.
	digests []string
	// bytes is the size of all specs in JSON.
	bytes int
	// names is the spec of Cilium's policy that opens names, with its digest; nil if none is needed.
	names       map[string]any
	namesDigest string
	namesBytes  int
}

// groupOf returns the group of an isolated namespace.
func (p *Plan) groupOf(namespace string) *group {
	tier := p.tiers[namespace]
	m, _ := p.in.Estate.Namespace(namespace)
	var used []int
	for i, x := range p.passages {
		if x.note == "" && x.serves(m) {
			used = append(used, i)
		}
	}
	key := fmt.Sprint(tier, used)
	if g := p.groups[key]; g != nil {
		return g
	}
	g := &group{specs: p.specs(tier, used)}
	for i := range g.specs {
		size := sizeOf(&g.specs[i])
		g.bytes, p.largest = g.bytes+size, max(p.largest, size)
		g.digests = append(g.digests, Digest(&g.specs[i]))
	}
	p.addNames(g, tier, used)
	p.groups[key] = g
	return g
}

// sizeOf returns the size of a spec in bytes of JSON.
func sizeOf(s *networkingv1.NetworkPolicySpec) int {
	raw, err := json.Marshal(s)
	if err != nil {
		return MostBytes // cannot happen: it is a tree of texts and numbers
	}
	return len(raw)
}

// Digest returns a text that is the same for two specs if they say the same.
func Digest(s *networkingv1.NetworkPolicySpec) string {
	raw, err := json.Marshal(s)
	if err != nil {
		return "" // cannot happen: it is a tree of texts and numbers
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// specs returns the policies of a tier. The first has everything but the namespaces that it has no place for.
func (p *Plan) specs(tier v1alpha1.Tier, used []int) []networkingv1.NetworkPolicySpec {
	var egress []networkingv1.NetworkPolicyEgressRule
	egress = append(egress, nameServers())
	egress = append(egress, p.apiServers()...)
	if to := blockPeers(p.reaches[tier].blocks); len(to) > 0 { // an empty list would stand for everything
		egress = append(egress, networkingv1.NetworkPolicyEgressRule{To: to})
	}
	for _, i := range used {
		if peer := p.passages[i].peer(); peer != nil {
			egress = append(egress, networkingv1.NetworkPolicyEgressRule{To: []networkingv1.NetworkPolicyPeer{*peer}})
		}
	}
	var ingress []networkingv1.NetworkPolicyIngressRule
	if from := blockPeers(outside(p.pods)); len(from) > 0 {
		ingress = append(ingress, networkingv1.NetworkPolicyIngressRule{From: from})
	}
	var out []networkingv1.NetworkPolicySpec
	for _, peer := range p.peers(tier) {
		out = append(out, networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress:     append(ingress, networkingv1.NetworkPolicyIngressRule{From: []networkingv1.NetworkPolicyPeer{peer}}),
			Egress:      append(egress, networkingv1.NetworkPolicyEgressRule{To: []networkingv1.NetworkPolicyPeer{peer}}),
		})
		ingress, egress = nil, nil
	}
	return out
}

// peers returns the namespaces that a tier may talk to, as one peer for each policy that they take.
//
// Production lists them, so that a namespace that appears is kept out until it is known. NonProduction leaves out those of Production: it has
// many namespaces that come and go, and a list of them all in each would change all policies whenever one comes, and grow with the square of
// their number. Between the two a Pod of Production stands at one end, so that its list decides.
func (p *Plan) peers(tier v1alpha1.Tier) []networkingv1.NetworkPolicyPeer {
	if tier == v1alpha1.TierNonProduction {
		barred := p.ofTier(v1alpha1.TierProduction)
		if len(barred) == 0 {
			return []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{}}}
		}
		return []networkingv1.NetworkPolicyPeer{{NamespaceSelector: named(metav1.LabelSelectorOpNotIn, barred)}}
	}
	var out []networkingv1.NetworkPolicyPeer
	for part := range slices.Chunk(p.ofTier(tier, v1alpha1.TierShared), mostNames) {
		out = append(out, networkingv1.NetworkPolicyPeer{NamespaceSelector: named(metav1.LabelSelectorOpIn, part)})
	}
	return out
}

// ofTier returns the namespaces of some tiers, sorted.
func (p *Plan) ofTier(tiers ...v1alpha1.Tier) []string {
	return slices.DeleteFunc(slices.Clone(p.namespaces), func(ns string) bool { return !slices.Contains(tiers, p.tiers[ns]) })
}

// named returns a selector of namespaces by the label that the API server itself gives each, and nobody can change.
func named(operator metav1.LabelSelectorOperator, names []string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: corev1.LabelMetadataName, Operator: operator, Values: names}}}
}

// nodeLocalDNS is where the name server of each node listens, unless it was set up otherwise.
const nodeLocalDNS = "169.254.20.10/32"

// nameServers opens the cluster's own name servers: kube-dns, which CoreDNS is labelled as, too, and the one of each node.
func nameServers() networkingv1.NetworkPolicyEgressRule {
	return networkingv1.NetworkPolicyEgressRule{
		Ports: []networkingv1.NetworkPolicyPort{port(corev1.ProtocolUDP, 53), port(corev1.ProtocolTCP, 53)},
		To: []networkingv1.NetworkPolicyPeer{
			{NamespaceSelector: named(metav1.LabelSelectorOpIn, []string{metav1.NamespaceSystem}), PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"k8s-app": "kube-dns"}}},
			{IPBlock: &networkingv1.IPBlock{CIDR: nodeLocalDNS}},
		},
	}
}

// apiServers opens the addresses of the API server, each port by a rule of its own.
func (p *Plan) apiServers() []networkingv1.NetworkPolicyEgressRule {
	sorted := slices.Clone(p.in.APIServers)
	slices.SortFunc(sorted, func(a, b netip.AddrPort) int {
		return cmp.Or(cmp.Compare(a.Port(), b.Port()), a.Addr().Unmap().Compare(b.Addr().Unmap()))
	})
	var out []networkingv1.NetworkPolicyEgressRule
	var last uint16
	for _, a := range slices.Compact(sorted) {
		if len(out) == 0 || a.Port() != last {
			out = append(out, networkingv1.NetworkPolicyEgressRule{Ports: []networkingv1.NetworkPolicyPort{port(corev1.ProtocolTCP, int32(a.Port()))}})
			last = a.Port()
		}
		rule := &out[len(out)-1]
		address := a.Addr().Unmap()
		rule.To = append(rule.To, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: netip.PrefixFrom(address, address.BitLen()).String()}})
	}
	return out
}

func blockPeers(blocks []networkingv1.IPBlock) []networkingv1.NetworkPolicyPeer {
	out := make([]networkingv1.NetworkPolicyPeer, len(blocks))
	for i := range blocks {
		out[i].IPBlock = &blocks[i]
	}
	return out
}

func port(protocol corev1.Protocol, number int32) networkingv1.NetworkPolicyPort {
	p := intstr.FromInt32(number)
	return networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: &p}
}
