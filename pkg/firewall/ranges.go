package firewall

import (
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// reach is which addresses outside of the cluster's namespaces a tier may send to.
type reach struct {
	// blocks are what it may send to. Their exceptions hold the Pods of the cluster, and the data stores of other tiers.
	blocks []networkingv1.IPBlock
	// denied are the ranges of data stores of other tiers, in as few prefixes as they take.
	denied []netip.Prefix
	// own are the ranges of data stores of this tier or a Shared one.
	own []netip.Prefix
}

// everywhere returns the two ranges that hold all addresses.
func everywhere() []netip.Prefix {
	return []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
}

// reachOf returns the reach of a tier, by the ranges that data stores list and those of the cluster's Pods. As for the rules, an address
// belongs to the owners of the narrowest range that holds it; if owners of several tiers list the same range, each tier may send there.
func reachOf(tier v1alpha1.Tier, ranges []estate.OwnedRange, pods []netip.Prefix) reach {
	var r reach
	for _, o := range ranges {
		mine := slices.ContainsFunc(o.Owners, func(w estate.Owner) bool { return w.Tier() == tier || w.Tier() == v1alpha1.TierShared })
		if mine {
			r.own = append(r.own, o.Prefix)
		} else {
			r.denied = append(r.denied, o.Prefix)
		}
	}
	closed := slices.Concat(r.denied, pods)
	for _, whole := range everywhere() {
		r.add(whole, closed)
	}
	all := fewest(closed)
	for _, p := range r.own {
		if slices.ContainsFunc(all, func(c netip.Prefix) bool { return within(p, c) }) {
			r.add(p, closed)
		}
	}
	r.denied = fewest(r.denied)
	return r
}

// add opens a range but for what is closed in it. Nothing is open of a range all of which is closed.
func (r *reach) add(p netip.Prefix, closed []netip.Prefix) {
	block := networkingv1.IPBlock{CIDR: p.String()}
	inside := slices.DeleteFunc(slices.Clone(closed), func(c netip.Prefix) bool { return !within(c, p) })
	for _, c := range fewest(inside) {
		if c == p {
			return
		}
		block.Except = append(block.Except, c.String())
	}
	r.blocks = append(r.blocks, block)
}

// outside returns the blocks of all addresses but those of the cluster's Pods.
func outside(pods []netip.Prefix) []networkingv1.IPBlock {
	var r reach
	for _, whole := range everywhere() {
		r.add(whole, pods)
	}
	return r.blocks
}

// within reports whether a range lies in another one, or is the same.
func within(inner, outer netip.Prefix) bool {
	return inner.Bits() >= outer.Bits() && outer.Contains(inner.Addr())
}

// fewest returns the least number of prefixes that hold the same addresses, sorted. It leaves out those inside of others, and puts halves
// together.
func fewest(ranges []netip.Prefix) []netip.Prefix {
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, estate.ComparePrefixes)
	var out []netip.Prefix
	for _, p := range sorted {
		if n := len(out); n > 0 && within(p, out[n-1]) {
			continue
		}
		out = append(out, p)
		for n := len(out); n > 1; n = len(out) {
			whole, err := out[n-1].Addr().Prefix(out[n-1].Bits() - 1)
			if err != nil || out[n-2].Bits() != out[n-1].Bits() || !within(out[n-2], whole) {
				break
			}
			out = append(out[:n-2], whole)
		}
	}
	return out
}
