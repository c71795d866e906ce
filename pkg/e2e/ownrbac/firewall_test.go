package ownrbac

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
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

// named is production's too: a gateway that is a name, and a range that is closed to development, so that the name is opened to it. It is declared while
// there is no boundary: afterwards it needs a window.
const named = `
apiVersion: firebreak.dev/v1alpha1
kind: Environment
metadata: {name: gated}
spec: {tier: Production, gateways: [{host: proxy.example.com, from: [development], reason: test, expiresAt: "2099-01-01T00:00:00Z"}]}
---
apiVersion: firebreak.dev/v1alpha1
kind: DataStore
metadata: {name: gated}
spec: {environment: gated, cidrs: [10.40.0.0/16]}
`

// doesName changes the policy that opens the name, and makes one that has no place in the plan.
func doesName(t *testing.T) func() bool {
	stale, opening := namesPolicy("default"), namesPolicy("dev")
	if err := people.Admin.Create(t.Context(), stale.DeepCopy()); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	meddled := false
	return func() bool {
		stored := opening.DeepCopy()
		if people.Admin.Get(t.Context(), client.ObjectKeyFromObject(opening), stored) != nil {
			return false
		}
		if !meddled {
			patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"egress":[{"toEntities":["all"]}]}}`))
			meddled = people.Admin.Patch(t.Context(), stored, patch) == nil
			return false
		}
		egress, _, _ := unstructured.NestedSlice(stored.Object, "spec", "egress")
		return len(egress) > 1 && apierrors.IsNotFound(people.Admin.Get(t.Context(), client.ObjectKeyFromObject(stale), stale.DeepCopy()))
	}
}

// namesPolicy is a policy of Cilium's that looks like one of the firewall's.
func namesPolicy(namespace string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"endpointSelector": map[string]any{}, "ingress": []any{map[string]any{}}}}}
	o.SetGroupVersionKind(firewall.CiliumPolicy())
	o.SetNamespace(namespace)
	o.SetName("firebreak-firewall-names")
	o.SetLabels(firewall.Labels("NonProduction"))
	return o
}
