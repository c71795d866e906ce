package firewall

import (
	"net/netip"
	"slices"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// Summary says what a plan does for one environment.
type Summary struct {
	// Environment is the name; it is empty for the namespaces that belong to none.
	Environment string `json:"environment"`
	// Tier is that of the environment. Namespaces that several environments claim go by the strictest.
	Tier v1alpha1.Tier `json:"tier"`
	// Namespaces are the members.
	Namespaces []string `json:"namespaces"`
	// Peers is how many namespaces they may talk to, their own included.
	Peers int `json:"peers"`
	// Policies is how many policies the members get.
	Policies int `json:"policies"`
	// Own are the ranges of data stores of the tier or a Shared one, and Denied those of other tiers.
	Own    []netip.Prefix `json:"own"`
	Denied []netip.Prefix `json:"denied"`
	// Gateways are the hosts of gateways of other environments that count and that the members may use.
	Gateways []string `json:"gateways"`
}

// Summaries returns what the plan does for each environment, in the order of their names; the namespaces that belong to none come last.
func (p *Plan) Summaries() []Summary {
	var out []Summary
	for _, env := range p.in.Estate.Environments() {
		out = append(out, p.summary(env.Name, env.Tier, func(m estate.Membership) bool { return m.In(env.Name) }))
	}
	if nobodys := p.summary("", v1alpha1.TierNonProduction, estate.Membership.Unassigned); len(nobodys.Namespaces) > 0 {
		out = append(out, nobodys)
	}
	return out
}

func (p *Plan) summary(name string, tier v1alpha1.Tier, member func(estate.Membership) bool) Summary {
	s := Summary{Environment: name, Tier: tier, Namespaces: []string{}, Own: []netip.Prefix{}, Denied: []netip.Prefix{}, Gateways: []string{}}
	for _, ns := range p.namespaces {
		if m, _ := p.in.Estate.Namespace(ns); member(m) {
			s.Namespaces = append(s.Namespaces, ns)
			s.Policies += len(p.Policies(ns))
		}
	}
	s.Peers = len(p.namespaces)
	if slices.Contains(isolated(), tier) {
		s.Peers = len(p.ofTier(tier, v1alpha1.TierShared))
		s.Own, s.Denied = append(s.Own, p.reaches[tier].own...), append(s.Denied, p.reaches[tier].denied...)
	}
	for _, x := range p.passages {
		if x.note == "" && name != "" && slices.Contains(x.gateway.From, name) {
			s.Gateways = append(s.Gateways, x.gateway.Host)
		}
	}
	return s
}
