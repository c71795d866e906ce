package ownrbac

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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

// doesName makes a policy of Cilium's that has no place in the plan, and a namespace, so that the plan is made again.
func doesName(t *testing.T) func() bool {
	stale := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"endpointSelector": map[string]any{}, "ingress": []any{map[string]any{}}}}}
	stale.SetGroupVersionKind(firewall.CiliumPolicy())
	stale.SetNamespace("dev")
	stale.SetName("firebreak-firewall-names")
	stale.SetLabels(firewall.Labels("NonProduction"))
	if err := people.Admin.Create(t.Context(), stale); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	if err := people.Admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fresh("dev-names")}}); err != nil {
		t.Fatal(err)
	}
	return func() bool {
		return apierrors.IsNotFound(people.Admin.Get(t.Context(), client.ObjectKeyFromObject(stale), stale.DeepCopy()))
	}
}
