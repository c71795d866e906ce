package firewall

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

func ranges(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

func TestFewest(t *testing.T) {
	for _, c := range []struct {
		name     string
		in, want []netip.Prefix
	}{
		{"nothing", nil, nil},
		{"one", ranges("10.0.0.0/8"), ranges("10.0.0.0/8")},
		{"the same twice", ranges("10.0.0.0/8", "10.0.0.0/8"), ranges("10.0.0.0/8")},
		{"one inside of another", ranges("10.1.0.0/16", "10.0.0.0/8"), ranges("10.0.0.0/8")},
		{"two halves", ranges("10.0.0.0/25", "10.0.0.128/25"), ranges("10.0.0.0/24")},
		{"halves of halves", ranges("10.0.0.0/25", "10.0.0.128/26", "10.0.0.192/26"), ranges("10.0.0.0/24")},
		{"neighbours that are no halves of one range", ranges("10.0.1.0/24", "10.0.2.0/24"), ranges("10.0.1.0/24", "10.0.2.0/24")},
		{"all of it", ranges("0.0.0.0/1", "128.0.0.0/1"), ranges("0.0.0.0/0")},
		{"both families", ranges("::/1", "0.0.0.0/1"), ranges("0.0.0.0/1", "::/1")},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := fewest(c.in); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// Each address of a small network is reached as its narrowest range says, whatever ranges there are.
func TestReachIsThatOfTheNarrowestRange(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		in := estate.Input{Environments: []v1alpha1.Environment{}, Namespaces: map[string]map[string]string{}}
		for i, tier := range []v1alpha1.Tier{v1alpha1.TierProduction, v1alpha1.TierNonProduction, v1alpha1.TierShared} {
			in.Environments = append(in.Environments, v1alpha1.Environment{Spec: v1alpha1.EnvironmentSpec{Tier: tier}})
			in.Environments[i].Name = string(tier)
		}
		for i := range 1 + r.IntN(8) {
			d := v1alpha1.DataStore{Spec: v1alpha1.DataStoreSpec{Environment: in.Environments[r.IntN(3)].Name, CIDRs: []string{small(r)}}}
			d.Name = fmt.Sprint("store-", i)
			in.DataStores = append(in.DataStores, d)
		}
		var pods []netip.Prefix
		if r.IntN(2) == 0 {
			pods = ranges(small(r))
		}
		e := estate.Compile(in)
		for _, tier := range isolated() {
			reach := reachOf(tier, e.Ranges(), pods)
			for a := netip.MustParseAddr("192.168.0.0"); a.Compare(netip.MustParseAddr("192.168.0.63")) <= 0; a = a.Next() {
				owners := e.Address(a)
				own := slices.ContainsFunc(owners, func(o estate.Owner) bool { return o.Tier() == tier || o.Tier() == v1alpha1.TierShared })
				want := own || len(owners) == 0
				if len(pods) > 0 && pods[0].Contains(a) {
					want = own && narrower(e, a, pods[0])
				}
				if got := open(reach, a); got != want {
					t.Fatalf("seed %d: %s may reach %s: %t, want %t (stores %v, Pods %v, blocks %v)", seed, tier, a, got, want, in.DataStores, pods, reach.blocks)
				}
			}
		}
	}
}

// narrower reports whether the range that owns an address lies inside of another one, and is not the same.
func narrower(e *estate.Estate, a netip.Addr, outer netip.Prefix) bool {
	narrowest := netip.PrefixFrom(a, 0)
	for _, r := range e.Ranges() {
		if r.Prefix.Contains(a) && r.Prefix.Bits() >= narrowest.Bits() {
			narrowest = r.Prefix
		}
	}
	return within(narrowest, outer) && narrowest != outer
}

// small returns a range of a network of 64 addresses.
func small(r *rand.Rand) string {
	p, _ := netip.AddrFrom4([4]byte{192, 168, 0, byte(r.IntN(64))}).Prefix(26 + r.IntN(7))
	return p.String()
}

// open reports whether blocks hold an address.
func open(r reach, a netip.Addr) bool {
	for _, b := range r.blocks {
		if netip.MustParsePrefix(b.CIDR).Contains(a) && !slices.ContainsFunc(b.Except, func(e string) bool { return netip.MustParsePrefix(e).Contains(a) }) {
			return true
		}
	}
	return false
}
