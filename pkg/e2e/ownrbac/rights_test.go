package ownrbac

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

var (
	the      *stage.Stage    //nolint:gochecknoglobals // one control plane serves the tests of this package
	people   *fixture.People //nolint:gochecknoglobals // and so do its people
	auditLog string          //nolint:gochecknoglobals // and its audit log
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "rights-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	policy := filepath.Join(dir, "policy.yaml")
	auditLog = filepath.Join(dir, "audit.log")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return fixture.Main(m, stage.Options{
		APIServerArgs: []string{"--audit-policy-file=" + policy, "--audit-log-path=" + auditLog},
		// These values switch on everything that the roles depend on.
		Values: []string{"secrets.read=true", "fence.mode=whenAway", "environments.declared.tier=NonProduction", "webhook.owners[0].apiGroups[0]=argoproj.io", "webhook.owners[0].resources[0]=workflows", "staticManifests.keep=true", "reports.enabled=true", "reports.every=2s", "firewall.reconcile=true", "firewall.podCIDRs={100.64.0.0/10}", "bell.enabled=true", "bell.secret=addresses", "bell.targets[0].name=hook"},
	}, &the, func(ctx context.Context, s *stage.Stage) (err error) {
		if people, err = fixture.Clients(s); err != nil {
			return err
		}
		if err := addressed(ctx); err != nil {
			return err
		}
		if err := fixture.ServeCilium(ctx, s); err != nil {
			return err
		}
		if err := fixture.ServeOpenReports(ctx, s); err != nil {
			return err
		}
		if err := declareAndTakeBack(ctx); err != nil {
			return err
		}
		if err := s.Apply(ctx, named); err != nil {
			return err
		}
		if err := employ(ctx, s); err != nil {
			return err
		}
		// It is created while there is no boundary: afterwards it needs a window.
		return people.Admin.Create(ctx, &v1alpha1.Exemption{
			ObjectMeta: metav1.ObjectMeta{Name: "early"},
			Spec: v1alpha1.ExemptionSpec{
				Rules: []v1alpha1.RuleName{v1alpha1.RuleBlastRadius}, Subjects: v1alpha1.Subjects{Users: []v1alpha1.Glob{"nobody"}},
				Objects: v1alpha1.ExemptObjects{Kind: "Deployment", Namespaces: []v1alpha1.Glob{"none"}, Names: []v1alpha1.Glob{"*"}},
				Reason:  "test", ExpiresAt: metav1.NewTime(time.Now().Add(time.Hour)),
			},
		})
	})
}

// role is one of the chart's roles for Firebreak's own account.
type role struct {
	namespace, name string // a ClusterRole has no namespace
	rules           []rbacv1.PolicyRule
}

func roles(t *testing.T) []*role {
	t.Helper()
	var out []*role
	for _, name := range []string{"firebreak", "firebreak-firewall", "firebreak-reports"} {
		var c rbacv1.ClusterRole
		if err := people.Admin.Get(t.Context(), client.ObjectKey{Name: name}, &c); err != nil {
			t.Fatal(err)
		}
		out = append(out, &role{name: name, rules: c.Rules})
	}
	for _, key := range []client.ObjectKey{{Namespace: stage.Namespace, Name: "firebreak"}, {Namespace: "kube-system", Name: "firebreak-controllers"}} {
		var r rbacv1.Role
		if err := people.Admin.Get(t.Context(), key, &r); err != nil {
			t.Fatal(err)
		}
		out = append(out, &role{key.Namespace, key.Name, r.Rules})
	}
	return out
}

// set writes the rules of a role.
func (r *role) set(ctx context.Context, rules []rbacv1.PolicyRule) error {
	if r.namespace == "" {
		var c rbacv1.ClusterRole
		if err := people.Admin.Get(ctx, client.ObjectKey{Name: r.name}, &c); err != nil {
			return err
		}
		c.Rules = rules
		return people.Admin.Update(ctx, &c)
	}
	var c rbacv1.Role
	if err := people.Admin.Get(ctx, client.ObjectKey{Namespace: r.namespace, Name: r.name}, &c); err != nil {
		return err
	}
	c.Rules = rules
	return people.Admin.Update(ctx, &c)
}

// say returns a text that names a rule.
func (r *role) say(rule *rbacv1.PolicyRule) string {
	where := "everywhere"
	if r.namespace != "" {
		where = "in " + r.namespace
	}
	return fmt.Sprintf("%s %s %s", strings.Join(rule.Verbs, ","), strings.Join(rule.Resources, ","), where)
}

// With its roles, Firebreak does everything that it is for, gets no refusal, and uses every verb that they grant.
func TestTheRightsAreEnoughAndNoMore(t *testing.T) {
	for _, name := range inOrder() {
		t.Run(name, func(t *testing.T) { await.True(t, name, behaviours()[name].does(t)) })
	}
	all, _ := since(t, 0)
	for _, a := range all {
		if a.ResponseStatus.Code == 403 {
			t.Errorf("it may not %s %s %s/%s: %s", a.Verb, a.resource(), a.ObjectRef.Namespace, a.ObjectRef.Name, a.ResponseStatus.Message)
		}
	}
	for _, r := range roles(t) {
		for i := range r.rules {
			for _, resource := range r.rules[i].Resources {
				for _, verb := range r.rules[i].Verbs {
					one := r.rules[i].DeepCopy()
					one.Resources, one.Verbs = []string{resource}, []string{verb}
					if !slices.ContainsFunc(all, func(a asked) bool { return a.within(r, one) }) && implied()[r.say(one)] == "" {
						t.Errorf("nothing needs: %s", r.say(one))
					}
				}
			}
		}
	}
}

// implied are the verbs that the test does not see in use, with the reason why they are needed.
func implied() map[string]string {
	const (
		stream = "API servers before 1.34 do not send what there is with a watch: it is listed first"
		apply  = "what is applied and not there is created, which the API server asks for beside patch"
		young  = "what was made a moment ago is read live, before the watch has told of it"
		absent = "two minutes after a reservation its object is looked for live before the slot is given back; see pkg/e2e/reservations"
		kept   = "records are deleted once they are older than the environments keep them; see pkg/controller"
		back   = "a slot is given back where the approvals do not suffice; see pkg/e2e/ledger"
	)
	out := map[string]string{
		"create environments everywhere": apply, "create datastores everywhere": apply,
		"get namespaces everywhere": young, "get roles everywhere": young, "get clusterroles everywhere": young, "get serviceaccounts in kube-system": young,
		"list changerecords in firebreak-system": kept, "delete changerecords in firebreak-system": kept,
		"delete changeexecutions in firebreak-system": back, "create configmaps in firebreak-system": apply,
		"delete validatingadmissionpolicies everywhere": "a fence that is switched off is taken away; see pkg/controller", "get secrets everywhere": "one that is too large to be remembered is read by the request that uses it",
	}
	for _, r := range []string{"validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicies", "validatingadmissionpolicybindings"} {
		out["create "+r+" everywhere"] = apply
	}
	for _, r := range []string{"pods", "replicationcontrollers", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs"} {
		out["get "+r+" everywhere"] = absent
	}
	for _, r := range []string{
		"exemptions", "changedelegations", "namespaces", "configmaps", "services", "persistentvolumes", "persistentvolumeclaims", "nodes", "priorityclasses", "horizontalpodautoscalers", "roles", "clusterroles", "rolebindings", "clusterrolebindings",
		"secrets", "validatingwebhookconfigurations", "mutatingwebhookconfigurations", "networkpolicies",
	} {
		out["list "+r+" everywhere"] = stream
	}
	out["list serviceaccounts in kube-system"] = stream
	return out
}

// Without any one rule, some behaviour breaks. Some rules depend on the values.
func TestWithoutARule(t *testing.T) {
	breaks := expected()
	for _, values := range []string{"secrets.read=true", "secrets.read=false"} {
		if out, err := the.Upgrade(t.Context(), filepath.Join(the.Root, "charts", "firebreak"), "--force-conflicts", "--set", values); err != nil {
			t.Fatal(err, out)
		}
		if err := the.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Run(values, func(t *testing.T) { withoutEach(t, breaks) })
	}
	for what, b := range breaks {
		if b != done {
			t.Errorf("there is no such rule any more: %s", what)
		}
	}
}

// done marks a rule that was tried.
const done = ""

func withoutEach(t *testing.T, breaks map[string]string) {
	for _, r := range roles(t) {
		for i := range r.rules {
			what := r.say(&r.rules[i])
			switch b, known := breaks[what]; {
			case !known:
				t.Errorf("nobody has said what breaks without: %s", what)
			case b != done:
				breaks[what] = done
				t.Run(what+": "+b, func(t *testing.T) { without(t, r, i, behaviours()[b]) })
			}
		}
	}
}

// without removes a rule, waits until Firebreak gets a refusal for lack of it, and checks that the behaviour stops.
func without(t *testing.T, r *role, i int, b behaviour) {
	_, from := since(t, 0)
	// The first try may fail: the rule before may have been that of the certificate, which is being renewed.
	await.True(t, "the rule is taken away", func() bool {
		return r.set(t.Context(), slices.Delete(slices.Clone(r.rules), i, i+1)) == nil
	})
	defer giveBack(t, r)
	if b.afresh {
		restart(t)
	}
	holds := isReady
	if b.does != nil {
		if b.afresh {
			await.True(t, "it is ready", isReady)
		}
		holds = b.does(t)
	}
	await.True(t, "Firebreak misses the rule", func() bool {
		var found []asked
		found, from = since(t, from)
		return slices.ContainsFunc(found, func(a asked) bool { return a.ResponseStatus.Code == 403 && a.missed(r, &r.rules[i]) })
	})
	if holds() {
		t.Error("nothing breaks")
	}
	if b.heals {
		giveBack(t, r)
		await.True(t, "with the right it is done after all", holds)
	}
}

// giveBack restores the role. A Firebreak that cannot judge refuses that, too. Without its registrations the write is free, and
// once Firebreak can judge, it restores them.
func giveBack(t *testing.T, r *role) {
	t.Helper()
	if r.set(t.Context(), r.rules) != nil {
		kubectl(t, "delete", validating+",mutatingwebhookconfiguration", "firebreak", "--ignore-not-found")
		if err := r.set(t.Context(), r.rules); err != nil {
			t.Fatal(err)
		}
	}
	await.True(t, "it is ready", isReady)
	await.True(t, "it judges", func() bool { return judges(t) })
}

func isReady() bool {
	return slices.ContainsFunc(the.Pods.Pods(), func(p pod) bool { return p.Ready })
}

// restart replaces the replica.
func restart(t *testing.T) {
	t.Helper()
	before := the.Pods.Pods()[0].Name
	if _, err := the.Kubectl(t.Context(), the.AdminConfig(), "delete", "pod", "-n", stage.Namespace, "-l", "app.kubernetes.io/name=firebreak", "--wait=false"); err != nil {
		t.Fatal(err)
	}
	await.True(t, "the replica is replaced", func() bool {
		return !slices.ContainsFunc(the.Pods.Pods(), func(p pod) bool { return p.Name == before })
	})
}
