package firewall

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	planned "github.com/firebreak-dev/firebreak/pkg/firewall"
)

// named closes a range to production, in which the address of a name may lie, and a gateway of production's is a name.
const named = `
apiVersion: firebreak.dev/v1alpha1
kind: DataStore
metadata: {name: orders-dev}
spec: {environment: development, cidrs: [10.30.0.0/16], hosts: [orders.dev.db.example.com]}
---
apiVersion: firebreak.dev/v1alpha1
kind: DataStore
metadata: {name: ledger}
spec: {environment: production, hosts: [ledger.prod.db.example.com, "*.ledger.example.com"]}
---
apiVersion: firebreak.dev/v1alpha1
kind: Environment
metadata: {name: shops}
spec:
  tier: Production
  namespaces: {names: ["shop-*"]}
  identities: {groups: [sre], operators: [firebreak-system/firebreak]}
  gateways: [{host: proxy.example.com, from: [staging], reason: test data, expiresAt: "2099-01-01T00:00:00Z"}]
`

// opened returns the names that Cilium's policy of a namespace opens, as the API server has stored them, or why there are none.
func opened(t *testing.T, namespace string) string {
	t.Helper()
	o := ciliums(namespace)
	if err := people.Admin.Get(t.Context(), client.ObjectKeyFromObject(o), o); apierrors.IsNotFound(err) {
		return "no policy"
	} else if err != nil {
		t.Fatal(err)
	}
	egress, _, err := unstructured.NestedSlice(o.Object, "spec", "egress")
	if err != nil || len(egress) == 0 {
		t.Fatalf("%v: %v", err, o.Object)
	}
	raw, err := json.Marshal(egress[len(egress)-1])
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func ciliums(namespace string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(planned.CiliumPolicy())
	o.SetNamespace(namespace)
	o.SetName("firebreak-firewall-names")
	return o
}

func opens(t *testing.T, namespace, want string) {
	t.Helper()
	await.NoError(t, "namespace "+namespace+" has its names opened", func() error {
		if got := opened(t, namespace); got != want {
			return fmt.Errorf("%s, want %s", got, want)
		}
		return nil
	})
}

func opensNames(t *testing.T) {
	if err := the.Apply(t.Context(), named); err != nil {
		t.Fatal(err)
	}
	if out, code := plugin(t, viewer, "-o", "summary"); code != 0 || !strings.Contains(out, `Gateway "proxy.example.com" of environment "shops" is a name outside of the cluster, which no NetworkPolicy can open`) {
		t.Errorf("exit %d, and without Cilium it is not said that the gateway cannot be opened:\n%s", code, out)
	}
	if err := fixture.ServeCilium(t.Context(), the); err != nil {
		t.Fatal(err)
	}
	const production = `{"toFQDNs":[{"matchPattern":"*.ledger.example.com"},{"matchName":"ledger.prod.db.example.com"}]}`
	opens(t, "payments", production)
	opens(t, "staging", `{"toFQDNs":[{"matchName":"proxy.example.com"}]}`)
	opens(t, "dev", "no policy")
	if out, code := plugin(t, "admin", "-o", "summary"); code != 0 || !strings.Contains(out, "Cilium's policies in 4 namespaces open names whose addresses may lie in denied ranges\n") || strings.Contains(out, "which no NetworkPolicy can open") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	// What a person changes is put back, and so is what they delete.
	o := ciliums("staging")
	if err := people.Admin.Patch(t.Context(), o, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"egress":[{"toEntities":["all"]}]}}`))); err != nil {
		t.Fatal(err)
	}
	if out, code := plugin(t, "admin", "--diff", "-o", "summary"); code != 1 || !strings.Contains(out, "change\tCiliumNetworkPolicy\tstaging/firebreak-firewall-names\n") {
		t.Errorf("exit %d, and the change is not told:\n%s", code, out)
	}
	opens(t, "staging", `{"toFQDNs":[{"matchName":"proxy.example.com"}]}`)
	if err := people.Admin.Delete(t.Context(), ciliums("staging")); err != nil {
		t.Fatal(err)
	}
	opens(t, "staging", `{"toFQDNs":[{"matchName":"proxy.example.com"}]}`)
	// What is no longer needed goes, once the range is no longer closed.
	if err := the.Apply(t.Context(), strings.Replace(strings.Split(named, "---")[0], "cidrs: [10.30.0.0/16], ", "", 1)); err != nil {
		t.Fatal(err)
	}
	opens(t, "payments", "no policy")
	opens(t, "staging", `{"toFQDNs":[{"matchName":"proxy.example.com"}]}`) // the ranges of production are closed to it
}
