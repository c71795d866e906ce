package firewall

import (
	"fmt"
	"net/netip"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	estateinput "github.com/firebreak-dev/firebreak/pkg/estate"
	planned "github.com/firebreak-dev/firebreak/pkg/firewall"
)

// The largest policies of a cluster that has as many namespaces as a plan may be made for, with the longest names, are stored.
func isStored(t *testing.T) {
	for what, c := range map[string]struct{ production, others int }{"of production": {2100, 0}, "of a namespace beside it": {3700, 1}} {
		in := estateinput.Input{
			Environments: []v1alpha1.Environment{{ObjectMeta: metav1.ObjectMeta{Name: "production"}, Spec: v1alpha1.EnvironmentSpec{Tier: v1alpha1.TierProduction, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{"p*"}}}}},
			Namespaces:   map[string]map[string]string{},
		}
		for i := range c.production {
			in.Namespaces[fmt.Sprintf("p%062d", i)] = nil
		}
		for range c.others {
			in.Namespaces["dev"] = nil
		}
		plan := planned.Compile(planned.Input{Estate: estateinput.Compile(in), Pods: []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")}})
		for _, p := range plan.Policies(plan.Namespaces()[0]) {
			o := p.DeepCopy()
			o.Namespace, o.Name = "dev", "large"
			if err := people.Admin.Create(t.Context(), o); err != nil {
				t.Errorf("a policy %s, of %d KiB, is not stored: %.300v", what, o.Size()>>10, err)
				continue
			}
			t.Logf("a policy %s takes %d KiB", what, o.Size()>>10)
			if err := people.Admin.Delete(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
	}
}
