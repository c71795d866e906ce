package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/policy/tools"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// A workload that was written at zero is judged when it is scaled up, though the payload of the scale subresource has no template.
func TestScaleFromZero(t *testing.T) {
	touching := policy.ScaledWorkload{Programs: []tools.Program{{Name: "psql"}}, References: []reference.Reference{{Target: reference.Target{Name: "db-0-0.prod.example.com", Unambiguous: true}}}}
	cases := map[string]struct {
		reason   string
		from, to int
		parent   policy.ScaledWorkload
		says     string
	}{
		"from zero":                       {"it runs now, not when it was written", 0, 3, touching, `ChangeWindowRequired: this is maintenance in "production": it starts what runs psql and names data store "store-0" from zero`},
		"a tool of the environment's own": {"its list is read when somebody asks", 0, 3, policy.ScaledWorkload{Programs: []tools.Program{{Name: "shard-mover"}}, References: touching.References}, `ChangeWindowRequired: this is maintenance in "production": it starts what runs shard-mover and names data store "store-0" from zero`},
		"more than is remembered":         {"one of the others may be a tool", 0, 3, policy.ScaledWorkload{Programs: make([]tools.Program, 64), References: touching.References}, `ChangeWindowRequired: this is maintenance in "production": it starts what runs more than can be remembered and names data store "store-0" from zero`},
		"too large to be read":            {"nobody can tell what it runs", 0, 3, policy.ScaledWorkload{Partial: true, References: touching.References}, `ChangeWindowRequired: this is maintenance in "production": it starts what runs more than can be remembered and names data store "store-0" from zero`},
		"from one":                        {"it runs already", 1, 3, touching, ""},
		"down":                            {"it stops in part", 4, 2, touching, ""},
		"without a tool":                  {"an application is no maintenance", 0, 3, policy.ScaledWorkload{References: touching.References}, ""},
		"without a database":              {"nor is a tool that names nothing", 0, 3, policy.ScaledWorkload{Programs: []tools.Program{{Name: "psql"}}}, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := benchWorld(10)
			w.ScaledWorkloads = func(ns, kind, name string) (policy.ScaledWorkload, bool) {
				return tc.parent, ns == "production" && kind == "Deployment" && name == "staged"
			}
			scale := func(n int) []byte {
				return []byte(fmt.Sprintf(`{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"staged","uid":"u"},"spec":{"replicas":%d}}`, n))
			}
			d, err := policy.Evaluate(policy.Request{
				Operation: policy.Update, SubResource: "scale", Namespace: "production", Name: "staged", Now: time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC),
				Kind:     schema.GroupVersionKind{Group: "autoscaling", Version: "v1", Kind: "Scale"},
				Resource: schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"},
				User:     authenticationv1.UserInfo{Username: "system:serviceaccount:production:deployer", UID: "1"},
				Object:   scale(tc.to), OldObject: scale(tc.from),
			}, w, nil)
			if err != nil {
				t.Fatal(err)
			}
			said := ""
			for _, f := range d.Denied() {
				said += string(f.Rule) + ": " + f.Message
			}
			if tc.says == "" && said != "" || !strings.HasPrefix(said, tc.says) {
				t.Errorf("said %q, want %q: %s", said, tc.says, tc.reason)
			}
		})
	}
}
