package firewall_test

import (
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/firebreak-dev/firebreak/pkg/firewall"
)

func TestOwned(t *testing.T) {
	for _, c := range []struct {
		why    string
		name   string
		labels map[string]string
		want   bool
	}{
		{"what a plan makes", "firebreak-firewall", firewall.Labels("Production"), true},
		{"what an earlier plan made", "firebreak-gateway-7", firewall.Labels("Gateway"), true},
		{"another's that has the name", "firebreak-firewall", nil, false},
		{"the chart's own, of the server", "firebreak", map[string]string{"app.kubernetes.io/managed-by": "Helm"}, false},
		{"somebody's with the labels and a name of their own", "mine", firewall.Labels("Production"), false},
		{"one label alone", "firebreak-firewall", map[string]string{"app.kubernetes.io/managed-by": "firebreak"}, false},
		{"the other label alone", "firebreak-firewall", map[string]string{"firebreak.dev/firewall": "Production"}, false},
	} {
		t.Run(c.why, func(t *testing.T) {
			o := &networkingv1.NetworkPolicy{}
			o.Name, o.Labels = c.name, c.labels
			if got := firewall.Owned(o); got != c.want {
				t.Errorf("it counts as Firebreak's own: %t, want %t", got, c.want)
			}
		})
	}
}

// keys returns namespace/name of policies.
func keys(list []*networkingv1.NetworkPolicy) string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = p.Namespace + "/" + p.Name
	}
	return strings.Join(out, " ")
}

func TestCompare(t *testing.T) {
	p := plan(t, "story")
	var stored []*networkingv1.NetworkPolicy
	for _, policy := range policies(p) {
		stored = append(stored, policy.DeepCopy())
	}
	if d := p.Compare(stored); !d.None() {
		t.Fatalf("what is stored as planned differs: %+v", d)
	}
	at := func(key string) int {
		return slices.IndexFunc(stored, func(s *networkingv1.NetworkPolicy) bool { return s.Namespace+"/"+s.Name == key })
	}
	stored[at("dev/firebreak-firewall")].Spec.Egress = nil // somebody has changed it
	stored[at("dev-a/firebreak-firewall")].Labels[firewall.LabelFirewall] = "Production"
	stored[at("staging/firebreak-firewall")].Labels = nil // another's
	stored = slices.Delete(stored, at("prod/firebreak-gateway-1"), at("prod/firebreak-gateway-1")+1)
	for key, labels := range map[string]map[string]string{
		"dev/firebreak-firewall-9": firewall.Labels("NonProduction"), "ingress/firebreak-firewall": firewall.Labels("Production"), // no longer planned
		"dev/mine": nil, "ingress/firebreak-mine": nil, // another's
	} {
		namespace, name, _ := strings.Cut(key, "/")
		o := &networkingv1.NetworkPolicy{}
		o.Namespace, o.Name, o.Labels = namespace, name, labels
		stored = append(stored, o)
	}
	slices.SortFunc(stored, func(a, b *networkingv1.NetworkPolicy) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	d := p.Compare(stored)
	for _, c := range []struct {
		what string
		got  []*networkingv1.NetworkPolicy
		want string
	}{
		{"added", d.Add, "prod/firebreak-gateway-1"},
		{"changed", d.Change, "dev/firebreak-firewall dev-a/firebreak-firewall"},
		{"removed", d.Remove, "dev/firebreak-firewall-9 ingress/firebreak-firewall"},
		{"foreign", d.Foreign, "staging/firebreak-firewall"},
	} {
		if got := keys(c.got); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
	if d.None() {
		t.Error("it says that nothing differs")
	}
	if d.Change[0].Spec.Egress == nil {
		t.Error("a change is not what the plan has")
	}
}
