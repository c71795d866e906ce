package fence_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/fence"
)

// input is a cluster with production, the platform's own namespaces, and hosts of production.
func input(edit func(*estate.Input), hosts ...string) fence.Input {
	in := estate.Input{
		Environments: []v1alpha1.Environment{
			{ObjectMeta: metav1.ObjectMeta{Name: "production"}, Spec: v1alpha1.EnvironmentSpec{
				Tier: v1alpha1.TierProduction, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{"payments"}},
				Identities: v1alpha1.IdentityMembers{Groups: []v1alpha1.Glob{"sre", "oidc:ops-*"}, Users: []v1alpha1.Glob{"o'hara"}},
			}},
			{ObjectMeta: metav1.ObjectMeta{Name: "platform"}, Spec: v1alpha1.EnvironmentSpec{Tier: v1alpha1.TierShared, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{"kube-system"}}}},
		},
		DataStores: []v1alpha1.DataStore{
			{ObjectMeta: metav1.ObjectMeta{Name: "orders"}, Spec: v1alpha1.DataStoreSpec{Environment: "production", Hosts: hosts}},
			{ObjectMeta: metav1.ObjectMeta{Name: "try"}, Spec: v1alpha1.DataStoreSpec{Environment: "staging", Hosts: []string{"try.db.example.com"}}},
		},
		Namespaces: map[string]map[string]string{"payments": nil, "kube-system": nil, "dev": nil}, FirebreakNamespace: "firebreak-system", Cluster: "prod-eu-1",
	}
	if edit != nil {
		edit(&in)
	}
	return fence.Input{Estate: estate.Compile(in), Stores: in.DataStores, Mode: fence.WhenAway, AliveUntil: time.Date(2026, 11, 28, 2, 30, 0, 0, time.UTC)}
}

// said returns the data of a ConfigMap as sorted lines.
func said(in fence.Input, name string) string {
	maps, _ := fence.ConfigMaps(in)
	var lines []string
	for k, v := range maps[name].Data {
		lines = append(lines, k+"="+v)
	}
	slices.Sort(lines)
	return strings.Join(lines, " ")
}

const spaces = "ns.firebreak-system=Shared ns.kube-system=Shared ns.payments=Production"

func TestWhatTheFenceKnows(t *testing.T) {
	const alive = "alive-until=2026-11-28T02:30:00Z "
	for name, tc := range map[string]struct {
		in   fence.Input
		of   string
		want string
	}{
		"names": {input(nil, "Orders.Prod.example.com.", "*.prod.example.net"), "firebreak-fence-hosts-0", alive + "host.orders.prod.example.com=production " + spaces + " wild.prod.example.net=production"},
		"names that are too short, addresses and what is no name": {input(nil, "orders", "orders.internal", "10.0.0.1", "a b.example.com", "[2001:db8::1]"), "firebreak-fence-hosts-0", alive + spaces},
		"names of what only warns": {input(func(in *estate.Input) {
			in.Environments[0].Spec.Enforcement.Rules = map[v1alpha1.RuleName]v1alpha1.Action{v1alpha1.RuleDataStoreAcrossTiers: v1alpha1.ActionWarn}
		}, "orders.prod.example.com"), "firebreak-fence-hosts-0", alive + spaces},
		"names that somebody is exempted from": {input(func(in *estate.Input) {
			in.Exemptions = []v1alpha1.Exemption{{Spec: v1alpha1.ExemptionSpec{Rules: []v1alpha1.RuleName{v1alpha1.RuleDataStoreAcrossTiers}}}}
		}, "orders.prod.example.com"), "firebreak-fence-hosts-0", alive + spaces},
		"a gateway": {input(func(in *estate.Input) {
			in.Environments[0].Spec.Gateways = []v1alpha1.Gateway{{Host: "mask.transfer.example.com"}}
		}), "firebreak-fence-hosts-0", alive + "gate.mask.transfer.example.com=production " + spaces},
		"members": {input(nil), "firebreak-fence-members", alive + "env.payments=production"},
		"members of what only warns": {input(func(in *estate.Input) {
			in.Environments[0].Spec.Enforcement.Rules = map[v1alpha1.RuleName]v1alpha1.Action{v1alpha1.RuleIdentityOutsideEnvironment: v1alpha1.ActionAudit}
		}), "firebreak-fence-members", strings.TrimSpace(alive)},
		"windows": {input(nil), "firebreak-fence-jobs", alive + "open.payments="},
	} {
		t.Run(name, func(t *testing.T) {
			if got := said(tc.in, tc.of); got != tc.want {
				t.Errorf("it knows %s\nwant %s", got, tc.want)
			}
		})
	}
	always := input(nil)
	always.Mode = fence.Always
	if got := said(always, "firebreak-fence-members"); got != "env.payments=production" {
		t.Errorf("a fence that always holds says until when somebody is there: %s", got)
	}
	if got := said(always, "firebreak-fence-jobs"); !strings.Contains(got, "alive-until=") {
		t.Errorf("Jobs are left to Firebreak while it is there: %s", got)
	}
}

func TestWindowsOfTheFence(t *testing.T) {
	window := func(ns string, ops []v1alpha1.Operation, kind string, namespaces ...string) v1alpha1.ChangeWindow {
		w := v1alpha1.ChangeWindow{ObjectMeta: metav1.ObjectMeta{Name: "w", Namespace: ns}}
		w.Spec.Scope = v1alpha1.Scope{Operations: ops, Resources: []v1alpha1.ScopedResource{{Group: "batch", Kind: kind, Names: []v1alpha1.Glob{"a"}}}, Namespaces: namespaces}
		opens, closes := metav1.NewTime(time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)), metav1.NewTime(time.Date(2026, 11, 28, 4, 0, 0, 0, time.UTC))
		w.Status.OpensAt, w.Status.ClosesAt = &opens, &closes
		return w
	}
	creates := []v1alpha1.Operation{v1alpha1.OperationCreate}
	const open = "open.payments=2026-11-28T02:00:00Z/2026-11-28T04:00:00Z"
	for name, tc := range map[string]struct {
		w    v1alpha1.ChangeWindow
		want string
	}{
		"of its namespace":           {window("payments", creates, "Job"), open},
		"of Firebreak's namespace":   {window("firebreak-system", creates, "Job", "payments"), open},
		"of another kind":            {window("payments", creates, "CronJob"), "open.payments="},
		"of another operation":       {window("payments", []v1alpha1.Operation{v1alpha1.OperationDelete}, "Job"), "open.payments="},
		"of a namespace like no one": {window("dev", creates, "Job"), "open.payments="},
	} {
		in := input(nil)
		in.Windows = []v1alpha1.ChangeWindow{tc.w, tc.w}
		if got := said(in, "firebreak-fence-jobs"); !strings.HasSuffix(got, tc.want) {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
	in := input(nil)
	for i := range 200 {
		w := window("payments", creates, "Job")
		later := metav1.NewTime(w.Status.ClosesAt.Add(time.Duration(i) * time.Minute))
		w.Status.ClosesAt = &later
		in.Windows = append(in.Windows, w)
	}
	if got := strings.Count(said(in, "firebreak-fence-jobs"), "/"); got != 64 {
		t.Errorf("%d openings, want no more than a request can compare", got)
	}
}

// A name stays in its ConfigMap while others come and go, none holds more than an API server can look up, and what does not fit is counted.
func TestManyNames(t *testing.T) {
	hosts := func(n int) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = fmt.Sprintf("db-%d.prod.example.com", i)
		}
		return out
	}
	place := func(n int, host string) (string, int) {
		maps, left := fence.ConfigMaps(input(nil, hosts(n)...))
		for name, cm := range maps {
			if len(cm.Data) > fence.MaxHosts+4 {
				t.Errorf("%s holds %d names", name, len(cm.Data))
			}
			if cm.Data["host."+host] != "" {
				return name, left
			}
		}
		return "", left
	}
	one, left := place(20000, "db-7.prod.example.com")
	other, _ := place(20100, "db-7.prod.example.com")
	if one == "" || one != other || left != 0 {
		t.Errorf("%q, then %q, %d left", one, other, left)
	}
	if _, left := place(200000, "db-7.prod.example.com"); left != 200000-fence.MaxShards*fence.MaxHosts {
		t.Errorf("%d are left out", left)
	}
}

// Who is a member stands in the policy, and no name can break out of its expression.
func TestPoliciesOfTheFence(t *testing.T) {
	policies, err := fence.Policies(input(nil))
	if err != nil || len(policies) != 3 {
		t.Fatalf("%d policies: %v", len(policies), err)
	}
	validations, _, err := unstructured.NestedSlice(policies[1].Object, "spec", "validations")
	if err != nil || len(validations) != 1 {
		t.Fatalf("%v %v", validations, err)
	}
	want := `false || (e == 'production' && (request.userInfo.username in ['o\'hara'] || (has(request.userInfo.groups) && request.userInfo.groups.exists(g, g in ['sre'] || g.matches('^oidc:ops-.*$')))))`
	if text := fmt.Sprint(validations[0].(map[string]any)["expression"]); !strings.Contains(text, want) {
		t.Errorf("the members are not %s: %s", want, text)
	}
	b := fence.Bindings("firebreak-system", []string{"firebreak-fence-hosts-3", "firebreak-fence-jobs"})
	if got := b[0].Object["spec"].(map[string]any)["policyName"]; got != "firebreak-fence-hosts" {
		t.Errorf("bound to %v", got)
	}
	if got := b[1].Object["spec"].(map[string]any)["paramRef"].(map[string]any)["parameterNotFoundAction"]; got != "Deny" {
		t.Errorf("without its ConfigMap it would %v", got)
	}
}
