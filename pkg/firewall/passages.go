package firewall

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// passage is a gateway that counts: a proxy through which the environments that it lists may cross tiers.
type passage struct {
	owner   *estate.Environment
	gateway v1alpha1.Gateway
	// namespace and selector are the Pods of a gateway that is a Service of this cluster; address is that of any other.
	namespace string
	selector  map[string]string
	address   netip.Addr
	// name is that of a gateway outside of the cluster, where Cilium can open it.
	name string
	// note says why nothing can be opened for the gateway. It is empty if something is.
	note string
}

// findPassages finds the gateways that have not expired, in the order of their environments and hosts.
func (p *Plan) findPassages() {
	for _, env := range p.in.Estate.Environments() {
		gateways := slices.Clone(env.Spec().Gateways)
		slices.SortFunc(gateways, func(a, b v1alpha1.Gateway) int { return cmp.Compare(a.Host, b.Host) })
		for _, g := range gateways {
			if !p.in.At.Before(g.ExpiresAt.Time) {
				continue
			}
			if p.expires.IsZero() || g.ExpiresAt.Time.Before(p.expires) {
				p.expires = g.ExpiresAt.Time
			}
			p.passages = append(p.passages, p.passage(env, g))
		}
	}
}

func (p *Plan) passage(env *estate.Environment, g v1alpha1.Gateway) passage {
	x := passage{owner: env, gateway: g}
	target, ok := p.in.Estate.Gateway(&g)
	if !ok {
		x.note = fmt.Sprintf("Gateway %q of environment %q is not a host, so nothing is opened for it.", g.Host, env.Name)
		return x
	}
	switch {
	case len(target.Selector) > 0:
		x.namespace, x.selector = target.Namespace, target.Selector
	case target.Service != "":
		x.note = fmt.Sprintf("Gateway %q of environment %q is the Service %s/%s, which selects no Pods, so nothing is opened for it.", g.Host, env.Name, target.Namespace, target.Service)
	case target.Target.Addr.IsValid():
		x.address = target.Target.Addr.Unmap()
	case p.in.Cilium:
		x.name = target.Target.Name
	default:
		x.note = fmt.Sprintf("Gateway %q of environment %q is a name outside of the cluster, which no NetworkPolicy can open; if its address lies in a range of a data store, give the address as the host.", g.Host, env.Name)
	}
	return x
}

// serves reports whether a namespace belongs to an environment that may use the gateway.
func (x *passage) serves(m estate.Membership) bool { return slices.ContainsFunc(x.gateway.From, m.In) }

// peer returns whom the gateway opens, or nil if it opens nothing.
func (x *passage) peer() *networkingv1.NetworkPolicyPeer {
	switch {
	case x.namespace != "":
		return &networkingv1.NetworkPolicyPeer{NamespaceSelector: named(metav1.LabelSelectorOpIn, []string{x.namespace}), PodSelector: &metav1.LabelSelector{MatchLabels: x.selector}}
	case x.address.IsValid():
		return &networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: netip.PrefixFrom(x.address, x.address.BitLen()).String()}}
	}
	return nil
}

// entrance is a policy that lets those in who may use a gateway of the namespace.
type entrance struct {
	name string
	spec networkingv1.NetworkPolicySpec
}

// findEntrances makes the policies for the gateways whose Pods run in namespaces that are isolated.
func (p *Plan) findEntrances() {
	for _, x := range p.passages {
		if !p.isolates(x.namespace) {
			continue
		}
		all := p.entrances[x.namespace]
		var from []string
		for _, ns := range p.namespaces {
			if m, _ := p.in.Estate.Namespace(ns); x.serves(m) {
				from = append(from, ns)
			}
		}
		for part := range slices.Chunk(from, mostNames) {
			e := entrance{fmt.Sprintf("%s%d", gatewayPrefix, len(all)+1), networkingv1.NetworkPolicySpec{
				PodSelector: metav1.LabelSelector{MatchLabels: x.selector},
				PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
				Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: named(metav1.LabelSelectorOpIn, part)}}}},
			}}
			p.bytes += sizeOf(&e.spec)
			all = append(all, e)
		}
		p.entrances[x.namespace] = all
	}
}
