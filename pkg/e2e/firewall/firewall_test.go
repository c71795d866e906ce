package firewall

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/controlplane"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
	planned "github.com/firebreak-dev/firebreak/pkg/firewall"
)

var (
	the    *stage.Stage    //nolint:gochecknoglobals // one control plane serves the tests of this package
	people *fixture.People //nolint:gochecknoglobals // and so do its people
)

// viewer may see namespaces and the estate, and nothing else.
const viewer = "vera"

const viewers = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: viewers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: vera}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: estate-viewers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: firebreak-estate-view}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: vera}]
`

// foreign is a policy that has the name of one of Firebreak's.
const foreign = `
apiVersion: v1
kind: Namespace
metadata: {name: dev-foreign}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: firebreak-firewall, namespace: dev-foreign, labels: {app.kubernetes.io/managed-by: hand}}
spec: {podSelector: {matchLabels: {app: theirs}}}
`

// estate lists Firebreak's account where its policies are to be taken. Environment strict does not, and refuses accounts that nobody has listed.
const estate = `
apiVersion: firebreak.dev/v1alpha1
kind: Environment
metadata: {name: production}
spec:
  tier: Production
  namespaces: {names: [payments, "prod-*"]}
  identities: {groups: [sre], operators: [firebreak-system/firebreak]}
  changeControl: {scope: Everything}
  enforcement: {unlistedAutomation: Deny}
---
apiVersion: firebreak.dev/v1alpha1
kind: Environment
metadata: {name: shops}
spec:
  tier: Production
  namespaces: {names: ["shop-*"]}
  identities: {groups: [sre], operators: [firebreak-system/firebreak]}
---
apiVersion: v1
kind: Namespace
metadata: {name: strict-one}
---
apiVersion: firebreak.dev/v1alpha1
kind: Environment
metadata: {name: strict}
spec:
  tier: Production
  namespaces: {names: ["strict-*"]}
  enforcement: {unlistedAutomation: Deny}
---
apiVersion: firebreak.dev/v1alpha1
kind: Environment
metadata: {name: staging}
spec: {tier: NonProduction, namespaces: {names: [staging]}}
---
apiVersion: firebreak.dev/v1alpha1
kind: Environment
metadata: {name: development}
spec: {tier: NonProduction, namespaces: {names: [dev, "dev-*"]}}
---
apiVersion: firebreak.dev/v1alpha1
kind: DataStore
metadata: {name: orders}
spec: {environment: production, cidrs: [10.20.0.0/16]}
`

// podRanges are those of the Pods of this stage, which run as local processes, and one that is usual.
func podRanges() []string { return []string{"10.244.0.0/16", "100.64.0.0/10"} }

func TestMain(m *testing.M) {
	os.Exit(fixture.On(m, stage.Options{Users: []controlplane.User{{Name: viewer, UID: "u-vera"}}}, &the, func(ctx context.Context) (err error) {
		if people, err = fixture.Clients(the); err != nil {
			return err
		}
		for _, step := range []func() error{
			func() error { return the.Staff(ctx) }, // rights are given before there is a boundary
			func() error { return the.Apply(ctx, viewers+"---"+foreign) },
			func() error { return the.Apply(ctx, estate) },
		} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	}))
}

// plugin runs kubectl firebreak firewall as somebody, and returns its output and exit status.
func plugin(t *testing.T, who string, args ...string) (string, int) {
	t.Helper()
	return fixture.Plugin(t, the, who, append([]string{"firewall", "--pod-cidr", strings.Join(podRanges(), ",")}, args...)...)
}

// upgrade upgrades the release with further values.
func upgrade(t *testing.T, values ...string) {
	t.Helper()
	args := []string{"--set", "firewall.podCIDRs={" + strings.Join(podRanges(), ",") + "}"}
	for _, v := range values {
		args = append(args, "--set", v)
	}
	if out, err := the.Upgrade(t.Context(), filepath.Join(the.Root, "charts", "firebreak"), append(args, "--force-conflicts")...); err != nil {
		t.Fatal(err, out)
	}
}

// policies returns the policies of the firewall in all namespaces, sorted.
func policies(t *testing.T) []networkingv1.NetworkPolicy {
	t.Helper()
	var l networkingv1.NetworkPolicyList
	if err := people.Admin.List(t.Context(), &l); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(l.Items, func(p networkingv1.NetworkPolicy) bool { return !planned.Owned(&p) })
}

// names returns where the policies of the firewall are, as namespace/name.
func names(t *testing.T) string {
	t.Helper()
	var out []string
	for _, p := range policies(t) {
		out = append(out, p.Namespace+"/"+p.Name)
	}
	return strings.Join(out, " ")
}

func get(t *testing.T, namespace, name string) *networkingv1.NetworkPolicy {
	t.Helper()
	p := &networkingv1.NetworkPolicy{}
	if err := people.Admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, p); err != nil {
		t.Fatal(err)
	}
	return p
}

// firewall returns the condition Firewall of an environment, as `True Applied: message`.
func firewall(t *testing.T, environment string) string {
	t.Helper()
	var e v1alpha1.Environment
	if err := people.Admin.Get(t.Context(), client.ObjectKey{Name: environment}, &e); err != nil {
		t.Fatal(err)
	}
	c := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.ConditionFirewall)
	if c == nil {
		return "none"
	}
	return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
}

// says waits until an environment's condition Firewall says something.
func says(t *testing.T, environment, want string) {
	t.Helper()
	await.NoError(t, "environment "+environment+" says how far its policies are in place", func() error {
		if got := firewall(t, environment); got != want {
			return fmt.Errorf("it says %q, want %q", got, want)
		}
		return nil
	})
}

// Each test continues from the state that the one before has left.
func TestFirewall(t *testing.T) {
	t.Run("is previewed by who may only look", isPreviewed)
	t.Run("is written as it was previewed", isWritten)
	t.Run("leaves another's policy alone", leavesAnothers)
	t.Run("is healed", isHealed)
	t.Run("follows the estate", followsTheEstate)
	t.Run("opens names where Cilium is", opensNames)
	t.Run("is judged like anybody's writes", isJudged)
	t.Run("stays small enough to be stored", isStored)
	t.Run("can be listed and deleted", isListed)
	t.Run("goes with the value", goes)
}

const inPlace = "the network policies of %d namespaces are in place, for the network plugin to enforce"

func isPreviewed(t *testing.T) {
	out, code := plugin(t, viewer)
	for _, want := range []string{"kind: NetworkPolicy\n", "namespace: payments\n", "- 10.20.0.0/16\n", "development  NonProduction  2 "} {
		if !strings.Contains(out, want) {
			t.Errorf("the preview does not say %q:\n%s", want, out)
		}
	}
	if code != 0 || strings.Contains(out, "You may not") {
		t.Errorf("exit %d, and a viewer sees less than all of it:\n%s", code, out)
	}
	if out, code := plugin(t, viewer, "--diff", "-o", "summary"); code != 1 || !strings.Contains(out, "add\tNetworkPolicy\tpayments/firebreak-firewall\n") || !strings.Contains(out, "foreign\tNetworkPolicy\tdev-foreign/firebreak-firewall\n") {
		t.Errorf("exit %d, want 1:\n%s", code, out)
	}
	if got := names(t); got != "" {
		t.Errorf("a preview has written %s", got)
	}
	says(t, "production", "none")
	if out, err := the.Plugin(t.Context(), the.UserConfig(viewer), "firewall"); err == nil || !strings.Contains(out, "Warning: You may not list objects of kind Node, so the ranges of Pods are known by --pod-cidr only.\n") ||
		!strings.Contains(out, "the policies cannot be made: The addresses of Pods are not known") {
		t.Errorf("%v: a viewer is not told what is missing:\n%s", err, out)
	}
}

func isWritten(t *testing.T) {
	upgrade(t, "firewall.reconcile=true")
	says(t, "production", "True Applied: "+fmt.Sprintf(inPlace, 1))
	says(t, "staging", "True Applied: "+fmt.Sprintf(inPlace, 1))
	out, code := plugin(t, viewer, "--diff", "-o", "summary")
	if code != 1 || !strings.Contains(out, "1 to add, 0 to change, 0 to remove, 1 in the way\n") || !strings.Contains(out, "add\tNetworkPolicy\tstrict-one/firebreak-firewall\n") {
		t.Errorf("exit %d: what is written is not what was previewed:\n%s", code, out)
	}
	if got, want := names(t), "default/firebreak-firewall dev/firebreak-firewall payments/firebreak-firewall staging/firebreak-firewall"; got != want {
		t.Errorf("there are %s, want %s", got, want)
	}
	for _, p := range policies(t) {
		if len(p.OwnerReferences) != 1 || p.OwnerReferences[0].Kind != "ClusterRole" || p.OwnerReferences[0].Name != "firebreak-firewall" {
			t.Errorf("%s/%s belongs to %+v", p.Namespace, p.Name, p.OwnerReferences)
		}
	}
	// What is as planned is not written again, also where everything is looked at again.
	before := get(t, "payments", "firebreak-firewall").ResourceVersion
	if err := people.Admin.Create(t.Context(), &v1alpha1.DataStore{ObjectMeta: metav1.ObjectMeta{Name: "news"}, Spec: v1alpha1.DataStoreSpec{Environment: "production", CIDRs: []string{"10.77.0.0/16"}}}); err != nil {
		t.Fatal(err)
	}
	await.True(t, "development is kept from the new data store", func() bool {
		return strings.Contains(fmt.Sprint(get(t, "dev", "firebreak-firewall").Spec), "10.77.0.0/16")
	})
	if after := get(t, "payments", "firebreak-firewall").ResourceVersion; after != before {
		t.Error("a policy was written again that had not changed")
	}
}

func leavesAnothers(t *testing.T) {
	says(t, "development", `False Foreign: namespace "dev-foreign": NetworkPolicy dev-foreign/firebreak-firewall is another's and has a name that Firebreak needs, so it is left alone; delete or rename it`)
	p := get(t, "dev-foreign", "firebreak-firewall")
	if p.Spec.PodSelector.MatchLabels["app"] != "theirs" || p.Labels[planned.LabelFirewall] != "" || p.Generation != 1 || len(p.OwnerReferences) > 0 {
		t.Errorf("it was touched: %+v", p)
	}
	await.True(t, "it is told", func() bool {
		out, err := the.Kubectl(t.Context(), the.AdminConfig(), "get", "events", "-A", "--field-selector", "reason=FirewallForeign", "-o", "jsonpath={.items[*].involvedObject.name}")
		return err == nil && out == "dev-foreign"
	})
	if out, err := the.Metrics(t.Context()); err != nil || !strings.Contains(out, `firebreak_firewall_namespaces{state="Foreign"} 1`) || !strings.Contains(out, "firebreak_firewall_obstructed 0") {
		t.Errorf("%v: the metrics do not tell of it", err)
	}
	if err := people.Admin.Delete(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	says(t, "development", "True Applied: "+fmt.Sprintf(inPlace, 2))
}

func followsTheEstate(t *testing.T) {
	if err := the.Apply(t.Context(), "{apiVersion: v1, kind: Namespace, metadata: {name: dev-new}}"); err != nil {
		t.Fatal(err)
	}
	if err := people.SRE.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop-one"}}); err != nil {
		t.Fatal(err)
	}
	await.True(t, "production lists its new namespace, and development leaves it out", func() bool {
		return strings.Contains(names(t), "shop-one/firebreak-firewall") && strings.Contains(names(t), "dev-new/firebreak-firewall") &&
			strings.Contains(fmt.Sprint(get(t, "payments", "firebreak-firewall").Spec), "shop-one") &&
			strings.Contains(fmt.Sprint(get(t, "dev", "firebreak-firewall").Spec), "shop-one")
	})
	says(t, "shops", "True Applied: "+fmt.Sprintf(inPlace, 1))
	if err := people.Admin.Create(t.Context(), &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "tools"}, Spec: v1alpha1.EnvironmentSpec{
		Tier: v1alpha1.TierShared, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{"tools-*"}}}}); err != nil {
		t.Fatal(err)
	}
	if err := the.Apply(t.Context(), "{apiVersion: v1, kind: Namespace, metadata: {name: tools-ingress}}"); err != nil {
		t.Fatal(err)
	}
	await.True(t, "production talks to what is shared", func() bool {
		return strings.Contains(fmt.Sprint(get(t, "payments", "firebreak-firewall").Spec), "tools-ingress")
	})
	if got := names(t); strings.Contains(got, "tools-ingress/") {
		t.Errorf("what is shared has policies: %s", got)
	}
	says(t, "tools", "none")
}

// Production takes the policies, although every write there needs a window, since it lists Firebreak's account as an operator. An environment
// that does not list it refuses them, and says what to do.
func isJudged(t *testing.T) {
	await.NoError(t, "the strict one says what to do", func() error {
		got := firewall(t, "strict")
		for _, want := range []string{`False Refused: namespace "strict-one": write NetworkPolicy strict-one/firebreak-firewall: `,
			`service account "firebreak-system/firebreak" is not a member of "strict" (Production)`, "have the identity listed in spec.identities"} {
			if !strings.Contains(got, want) {
				return fmt.Errorf("it says %q, and not %q", got, want)
			}
		}
		return nil
	})
}

func isListed(t *testing.T) {
	out, code := plugin(t, viewer, "--remove")
	if code != 0 || !strings.Contains(out, "networkpolicy.networking.k8s.io/firebreak-firewall -n payments\n") ||
		!strings.Contains(out, "Nothing is deleted; --yes deletes the listed policies. A server with firewall.reconcile would write it again, so switch that off first.\n") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	uid := get(t, "payments", "firebreak-firewall").UID
	if out, code := plugin(t, viewer, "--remove", "--yes"); code != 2 || !strings.Contains(out, "is forbidden") {
		t.Errorf("exit %d, and who may only look has deleted something:\n%s", code, out)
	}
	if got := get(t, "payments", "firebreak-firewall").UID; got != uid {
		t.Error("it was deleted")
	}
}

func goes(t *testing.T) {
	upgrade(t, "firewall.reconcile=false")
	await.True(t, "the policies are gone", func() bool { return names(t) == "" })
	says(t, "production", "none")
	if out, code := plugin(t, "admin", "--remove"); code != 0 || out != "There are no policies that Firebreak has made.\n" {
		t.Errorf("exit %d:\n%s", code, out)
	}
}
