package firewall_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/firewall"
)

// mostStored is how large an object may be that etcd stores, in bytes.
const mostStored = 1536 << 10

// crowd is a cluster of many namespaces, with names of so many characters each.
func crowd(production, others, length int) firewall.Input {
	in := estate.Input{
		Environments: []v1alpha1.Environment{
			{ObjectMeta: metav1.ObjectMeta{Name: "production"}, Spec: v1alpha1.EnvironmentSpec{Tier: v1alpha1.TierProduction, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{"p-*"}}}},
		},
		Namespaces: map[string]map[string]string{},
		Nodes:      map[string]estate.Node{"a": estate.NodeOf(&corev1.Node{Spec: corev1.NodeSpec{PodCIDRs: []string{"10.244.0.0/16"}}})},
	}
	name := func(prefix string, i int) string { return fmt.Sprintf("%s-%0*d", prefix, length-2, i) }
	for i := range production {
		in.Namespaces[name("p", i)] = nil
	}
	for i := range others {
		in.Namespaces[name("d", i)] = nil
	}
	return firewall.Input{Estate: estate.Compile(in), At: now(), APIServers: []netip.AddrPort{netip.MustParseAddrPort("10.96.0.1:443")}}
}

// No policy is larger than what the API server stores, however many namespaces there are and however long their names. All together they fit
// into the store, or the plan says that it must not be applied.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		production, others, length int
		policies                   int // of a namespace of production
		applied                    bool
	}{
		{50, 4950, 63, 1, true},
		{500, 4500, 20, 1, true},
		{1000, 4000, 16, 1, true},
		{2500, 2500, 63, 2, false},
		{5000, 0, 63, 3, false},
		{3700, 1, 63, 2, false},
	} {
		t.Run(fmt.Sprintf("%d and %d of %d characters", c.production, c.others, c.length), func(t *testing.T) {
			p := firewall.Compile(crowd(c.production, c.others, c.length))
			names := p.Namespaces()
			largest := 0
			for _, ns := range []string{names[0], names[len(names)-1]} {
				for _, policy := range p.Policies(ns) {
					raw, err := json.Marshal(policy)
					if err != nil {
						t.Fatal(err)
					}
					largest = max(largest, len(raw))
				}
			}
			if largest > mostStored/2 {
				t.Errorf("a policy takes %d bytes, and %d can be stored", largest, mostStored)
			}
			production := p.Policies(names[len(names)-1])
			if len(production) != c.policies {
				t.Errorf("a namespace of production has %d policies, want %d", len(production), c.policies)
			}
			listed := map[string]bool{}
			for _, policy := range production {
				for _, rule := range policy.Spec.Ingress {
					for _, peer := range rule.From {
						if peer.NamespaceSelector != nil {
							for _, name := range peer.NamespaceSelector.MatchExpressions[0].Values {
								listed[name] = true
							}
						}
					}
				}
			}
			if len(listed) != c.production {
				t.Errorf("%d namespaces may enter, want the %d of production", len(listed), c.production)
			}
			if applied := len(p.Obstacles()) == 0; applied != c.applied {
				t.Errorf("with %d MiB it is applied: %t, want %t: %s", p.Bytes()>>20, applied, c.applied, strings.Join(p.Obstacles(), " "))
			}
			t.Logf("largest %d KiB, together %d MiB", largest>>10, p.Bytes()>>20)
		})
	}
}

func TestObstacles(t *testing.T) {
	for _, c := range []struct {
		why  string
		in   func() firewall.Input
		want string
	}{
		{"the API server is not known", func() firewall.Input { in := crowd(1, 1, 8); in.APIServers = nil; return in },
			"The addresses of the API server are not known, since neither the Service default/kubernetes nor its endpoints could be read."},
		{"too large", func() firewall.Input { return crowd(2500, 2500, 63) },
			"The policies would take 1578 MiB, and the store of the cluster is safe with 256 MiB: each names all namespaces of Production, so fewer of these make them smaller."},
		{"a policy that is too large", func() firewall.Input {
			c := &cluster{Environments: map[string]v1alpha1.EnvironmentSpec{"production": {Tier: v1alpha1.TierProduction}}, DataStores: map[string]v1alpha1.DataStoreSpec{}, Namespaces: []string{"dev"}, Nodes: map[string][]string{"a": {"10.244.0.0/24"}}}
			for i := range 60000 {
				name := fmt.Sprint("store-", i/250)
				d := c.DataStores[name]
				d.Environment, d.CIDRs = "production", append(d.CIDRs, fmt.Sprintf("172.%d.%d.%d/32", i/25600, i/100%256, i%100*2))
				c.DataStores[name] = d
			}
			in := c.input()
			in.APIServers = []netip.AddrPort{netip.MustParseAddrPort("10.96.0.1:443")}
			return in
		}, "A policy would take 1050 KiB, and at most 1024 KiB are sure to be stored: fewer and wider ranges of data stores, or fewer namespaces of Production, make it smaller."},
		{"too many ranges of Pods", func() firewall.Input {
			in := crowd(1, 1, 8)
			for i := range firewall.MostRanges + 1 {
				in.Pods = append(in.Pods, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 7), byte(i << 1), 0}), 24))
			}
			return in
		}, "The nodes' ranges of Pods are 257, even with neighbours put together, and at most 256 can be left out; set firewall.podCIDRs of the chart, or --pod-cidr, to the wider range that they are taken from."},
	} {
		t.Run(c.why, func(t *testing.T) {
			if got := firewall.Compile(c.in()).Obstacles(); !slices.Equal(got, []string{c.want}) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	if got := firewall.Compile(crowd(1, 1, 8)).Obstacles(); len(got) > 0 {
		t.Errorf("nothing is in the way, and it says %q", got)
	}
}

// The given ranges of Pods count instead of the nodes', and a Pod with another address is noticed.
func TestPodRanges(t *testing.T) {
	in := crowd(1, 1, 8)
	in.Pods = prefixes(t, "10.32.0.0/13", "fd00::/48")
	p := firewall.Compile(in)
	if got := fmt.Sprint(p.PodRanges()); got != "[10.32.0.0/13 fd00::/48]" {
		t.Errorf("the ranges of Pods are %s", got)
	}
	for text, stray := range map[string]bool{"10.33.1.1": false, "::ffff:10.33.1.1": false, "fd00::1": false, "10.244.0.1": true, "fd01::1": true} {
		if got := p.Stray(netip.MustParseAddr(text)); got != stray {
			t.Errorf("a Pod with %s is stray: %t, want %t", text, got, stray)
		}
	}
}
