package ownrbac

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/firewall"
)

// doesWall makes a namespace with a policy that is not as it is planned, and one that has no place in the plan.
func doesWall(t *testing.T) func() bool {
	ns := fresh("dev-wall")
	if err := people.Admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}); err != nil {
		t.Fatal(err)
	}
	wrong := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "firebreak-firewall", Labels: firewall.Labels("Production")}}
	stale := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "firebreak-gateway-9", Labels: firewall.Labels(firewall.ValueGateway)}}
	for _, p := range []*networkingv1.NetworkPolicy{wrong, stale} {
		// The server may have been faster.
		if err := people.Admin.Create(t.Context(), p); client.IgnoreAlreadyExists(err) != nil {
			t.Fatal(err)
		}
	}
	return func() bool {
		var l networkingv1.NetworkPolicyList
		if err := people.Admin.List(t.Context(), &l, client.InNamespace(ns)); err != nil {
			t.Fatal(err)
		}
		return len(l.Items) == 1 && len(l.Items[0].Spec.Egress) > 0 && l.Items[0].Labels[firewall.LabelFirewall] == "NonProduction"
	}
}
