package gitops

import (
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
)

// A release without an order, whose Job is cleaned up. Flux sends the Deployment before the Job, and it is refused as well: nothing runs without
// its migration. Once the Job is gone, Flux creates it again at each interval, and each time it is refused. A window for the Deployment alone lets
// it through alone.
func TestWithoutAnOrder(t *testing.T) {
	var cart kustomization
	cart.Metadata.Name, cart.Spec.Path = "cart", "cart"
	const account = ` --for-service-account flux-system/kustomize-controller`
	refused := map[string]string{
		"Deployment": `deployments.apps "cart" is forbidden: request a window: kubectl firebreak request -f MANIFEST -n payments --operation Update` + account +
			` (ChangeWindowRequired: this is a change in "production": it changes what runs there, and changeControl.scope is Workloads)`,
		"Job": `jobs.batch "cart-migrate-v7" is forbidden: request a window: kubectl firebreak request -f MANIFEST -n payments` + account +
			` (ChangeWindowRequired: this is maintenance in "production": it names data store "orders" and runs rails db:*)`,
	}
	said(t, refused["Deployment"], interval(t, 2, cart)["cart"])
	all, err := built("cart", at(2, "cart"), "payments")
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range all { // as kubectl apply does, which sends both whatever becomes of the first
		err := fluxApplies(t.Context(), u)
		if err == nil {
			t.Fatalf("%s is applied without a window", u.GetKind())
		}
		said(t, refused[u.GetKind()], sentence(err.Error()))
	}
	absent(t, "payments", "cart-migrate-v7")
	runs(t, "payments", "cart", 1)

	window(t, "payments", "cart-2", flux, "Create,Update", "-f", at(2, "cart"))
	ready(t, interval(t, 2, cart))
	runs(t, "payments", "cart", 2)
	used(t, "payments", "cart-2", "Create Job cart-migrate-v7", "Update Deployment cart")

	admin := fixture.Everybody(t, cluster).Admin
	await.True(t, "the Job is cleaned up", func() bool {
		return apierrors.IsNotFound(admin.Get(t.Context(), client.ObjectKey{Namespace: "payments", Name: "cart-migrate-v7"}, &batchv1.Job{}))
	})
	for range 2 {
		said(t, `jobs.batch "cart-migrate-v7" is forbidden: request another window: kubectl firebreak request -f MANIFEST -n payments`+account+`; or, if that came to nothing, have it given back: `+
			`kubectl firebreak release … (ExecutionsExhausted: window "cart-2" covers this, but it has been used for this object once, which is all that it allows: `+
			`last by system:serviceaccount:flux-system:kustomize-controller, to create Job "cart-migrate-v7", at …)`, interval(t, 2, cart)["cart"])
		runs(t, "payments", "cart", 2)
		used(t, "payments", "cart-2", "Create Job cart-migrate-v7", "Update Deployment cart")
	}
	window(t, "payments", "cart-3", flux, "Create,Update", "-f", at(3, "cart/dep.yaml"))
	if told := interval(t, 3, cart)["cart"]; !strings.HasPrefix(told, `jobs.batch "cart-migrate-v7" is forbidden: `) {
		t.Errorf("it was told %q, want the Job refused", told)
	}
	absent(t, "payments", "cart-migrate-v7")
	runs(t, "payments", "cart", 3)
}
