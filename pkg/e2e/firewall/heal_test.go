package firewall

import (
	"fmt"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	planned "github.com/firebreak-dev/firebreak/pkg/firewall"
)

func isHealed(t *testing.T) {
	const name = "firebreak-firewall"
	want := get(t, "dev", name)
	for what, meddle := range map[string]func(p *networkingv1.NetworkPolicy) error{
		"deleted": func(p *networkingv1.NetworkPolicy) error { return people.Developer.Delete(t.Context(), p) },
		"opened": func(p *networkingv1.NetworkPolicy) error {
			p.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{}}
			return people.Developer.Update(t.Context(), p)
		},
		"without its labels": func(p *networkingv1.NetworkPolicy) error {
			p.Labels = nil
			return people.Developer.Update(t.Context(), p)
		},
		"for another purpose": func(p *networkingv1.NetworkPolicy) error {
			p.Labels[planned.LabelFirewall] = "Production"
			return people.Developer.Update(t.Context(), p)
		},
		"nobody's": func(p *networkingv1.NetworkPolicy) error {
			p.OwnerReferences = nil
			return people.Developer.Update(t.Context(), p)
		},
	} {
		t.Run(what, func(t *testing.T) {
			p := get(t, "dev", name)
			if err := meddle(p); err != nil {
				t.Fatal(err)
			}
			await.NoError(t, "it is put back", func() error {
				var p networkingv1.NetworkPolicy
				if err := people.Admin.Get(t.Context(), client.ObjectKeyFromObject(want), &p); err != nil {
					return err
				}
				if !planned.Same(&p, want) || len(p.OwnerReferences) != 1 {
					return fmt.Errorf("it is %+v", p)
				}
				return nil
			})
		})
	}
	await.True(t, "it is told", func() bool {
		out, err := the.Kubectl(t.Context(), the.AdminConfig(), "get", "events", "-A", "--field-selector", "reason=FirewallHealed", "-o", "jsonpath={.items[*].message}")
		return err == nil && strings.Contains(out, "NetworkPolicy dev/firebreak-firewall was put back: somebody had deleted or changed it. Set firewall.reconcile=false if that is what you want.")
	})
	if out, err := the.Metrics(t.Context()); err != nil || strings.Contains(out, "firebreak_firewall_healed_total 0") {
		t.Errorf("%v: the metric does not tell of it", err)
	}
}
