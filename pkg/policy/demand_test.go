package policy_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// enforcing returns the cluster of one Production environment whose rules have the given actions, Deny where nothing is given, and of one
// exemption of Bob from the given rules.
func enforcing(actions map[v1alpha1.RuleName]v1alpha1.Action, exempt ...v1alpha1.RuleName) *policy.ClusterView {
	in := estate.Input{
		Environments: []v1alpha1.Environment{{
			ObjectMeta: metav1.ObjectMeta{Name: "production"},
			Spec: v1alpha1.EnvironmentSpec{
				Tier: v1alpha1.TierProduction, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{"payments"}},
				Identities:    v1alpha1.IdentityMembers{Groups: []v1alpha1.Glob{"sre"}},
				ChangeControl: &v1alpha1.ChangeControl{InteractiveAccess: v1alpha1.InteractiveWindowRequired, RequiredApprovals: new(int32), RequirePlan: new(bool), ConfirmTarget: new(bool)},
				Enforcement:   v1alpha1.Enforcement{Default: v1alpha1.ActionDeny, Rules: actions},
			},
		}},
		DataStores: []v1alpha1.DataStore{{ObjectMeta: metav1.ObjectMeta{Name: "orders"}, Spec: v1alpha1.DataStoreSpec{Environment: "production", Hosts: []string{"orders.prod.db.example.com"}}}},
		Namespaces: map[string]map[string]string{"payments": nil}, Cluster: "prod-eu-1", FirebreakNamespace: "firebreak-system",
	}
	if len(exempt) > 0 {
		for _, kind := range []string{"Pod", "StatefulSet"} {
			group := map[string]string{"StatefulSet": "apps"}[kind]
			in.Exemptions = append(in.Exemptions, v1alpha1.Exemption{ObjectMeta: metav1.ObjectMeta{Name: strings.ToLower(kind)}, Spec: v1alpha1.ExemptionSpec{
				Rules: exempt, Subjects: v1alpha1.Subjects{Users: []v1alpha1.Glob{"oidc:sre-bob"}}, Reason: "test", ExpiresAt: metav1.NewTime(now().Add(time.Hour)),
				Objects: v1alpha1.ExemptObjects{Group: group, Kind: kind, Namespaces: []v1alpha1.Glob{"payments"}, Names: []v1alpha1.Glob{"*"}},
			}})
		}
	}
	return policy.NewClusterView(estate.Compile(in))
}

const (
	psqlPod      = `{apiVersion: v1, kind: Pod, metadata: {name: fix, namespace: payments, uid: f-1}, spec: {containers: [{name: c, image: "postgres:17", command: [psql, -h, orders.prod.db.example.com]}]}}`
	keptSet      = `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: ledger, namespace: payments, uid: l-1, labels: {firebreak.dev/protected: "true"}}, spec: {replicas: 10, template: {spec: {containers: [{name: c, image: "ledger:1"}]}}}}`
	droppedImage = `containers: [{name: c, image: "postgres:17", command: [psql, -h, orders.prod.db.example.com, -c, "drop table x"]}]`
)

// TestEachRuleStatesItsOwn checks that the demand of one rule hides no other rule's, and that suspending one rule suspends no other.
func TestEachRuleStatesItsOwn(t *testing.T) {
	const window, session, protection, blast = v1alpha1.RuleChangeWindowRequired, v1alpha1.RuleInteractiveAccess, v1alpha1.RuleProtectedState, v1alpha1.RuleBlastRadius
	warn := func(rules ...v1alpha1.RuleName) map[v1alpha1.RuleName]v1alpha1.Action {
		out := map[v1alpha1.RuleName]v1alpha1.Action{}
		for _, r := range rules {
			out[r] = v1alpha1.ActionWarn
		}
		return out
	}
	onHost := strings.Replace(psqlPod, "spec: {", "spec: {hostNetwork: true, ", 1)
	dropped := strings.NewReplacer(`containers: [{name: c, image: "ledger:1"}]`, droppedImage).Replace(keptSet)
	unprotected := strings.Replace(dropped, `, labels: {firebreak.dev/protected: "true"}`, "", 1)
	scaled := strings.Replace(dropped, "replicas: 10", "replicas: 1", 1)
	for name, tc := range map[string]struct {
		reason        string
		cluster       *policy.ClusterView
		objects       string
		denied, other string
	}{
		"a Pod":                       {"psql on production's store", enforcing(nil), psqlPod, "ChangeWindowRequired", ""},
		"a Pod on its node's network": {"both deny", enforcing(nil), onHost, "ChangeWindowRequired InteractiveAccess", ""},
		"sessions warn":               {"it is maintenance all the same", enforcing(warn(session)), onHost, "ChangeWindowRequired", "InteractiveAccess=Warn"},
		"maintenance warns":           {"it is a session all the same", enforcing(warn(window)), onHost, "InteractiveAccess", "ChangeWindowRequired=Warn"},
		"both warn":                   {"so they were told to", enforcing(warn(window, session)), onHost, "", "ChangeWindowRequired=Warn InteractiveAccess=Warn"},
		"exempt from sessions":        {"an Exemption suspends what it names", enforcing(nil, session), onHost, "ChangeWindowRequired", "InteractiveAccess=Audit"},
		"exempt from both":            {"it names both", enforcing(nil, session, window), onHost, "", "ChangeWindowRequired=Audit InteractiveAccess=Audit"},
		"a set that drops a table":    {"psql on production's store", enforcing(warn(protection)), then(dropped, keptSet), "ChangeWindowRequired", ""},
		"and its protection":          {"one warns, the other denies", enforcing(warn(protection)), then(unprotected, keptSet), "ChangeWindowRequired", "ProtectedState=Warn"},
		"and most of its replicas":    {"each is told", enforcing(nil), then(scaled, keptSet), "BlastRadius ChangeWindowRequired", ""},
		"the scaling alone denies":    {"maintenance hides it no more", enforcing(warn(window)), then(scaled, keptSet), "BlastRadius", "ChangeWindowRequired=Warn"},
		"exempt from scaling":         {"the rest stays", enforcing(nil, blast), then(scaled, keptSet), "ChangeWindowRequired", "BlastRadius=Audit"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := policy.Evaluate(*demanding(t, tc.objects), tc.cluster, nil)
			if err != nil {
				t.Fatal(err)
			}
			var denied, other []string
			for _, f := range d.Findings {
				if f.Action == v1alpha1.ActionDeny {
					denied = append(denied, string(f.Rule))
				} else {
					other = append(other, string(f.Rule)+"="+string(f.Action))
				}
			}
			if got := strings.Join(denied, " "); got != tc.denied || d.Allowed != (got == "") {
				t.Errorf("denied by %q (admitted: %t), want %q: %s", got, d.Allowed, tc.denied, tc.reason)
			}
			if got := strings.Join(other, " "); got != tc.other {
				t.Errorf("told besides: %q, want %q: %s", got, tc.other, tc.reason)
			}
		})
	}
}

func demanding(t *testing.T, objects string) *policy.Request {
	t.Helper()
	h := by("bob")
	if strings.Contains(objects, "\n---\n") {
		h = updating("bob")
	}
	req := newRequest(t, newStage(t), h, documents(t, []byte(objects)), now())
	req.User.Groups = append(req.User.Groups, "sre")
	return req
}

// bobs returns a window that Bob has requested for their own use and that is open now.
func bobs(namespace, environment string, scope v1alpha1.Scope) v1alpha1.ChangeWindow {
	return v1alpha1.ChangeWindow{
		ObjectMeta: metav1.ObjectMeta{Name: "w", Namespace: namespace, UID: "w-1"},
		Spec: v1alpha1.ChangeWindowSpec{
			Type: v1alpha1.WindowNormal, Environment: environment, Reason: "test", RequestedBy: &v1alpha1.Stamp{Username: "oidc:sre-bob", Groups: []string{"sre"}},
			Subjects: v1alpha1.Subjects{Users: []v1alpha1.Glob{"oidc:sre-bob"}},
			Schedule: v1alpha1.Schedule{Start: &metav1.Time{Time: now().Add(-time.Minute)}, End: &metav1.Time{Time: now().Add(time.Minute)}},
			Scope:    scope,
		},
	}
}

// TestOneWindowMeetsAll checks that the window must permit every operation that is demanded, and that its use is recorded once. Demands
// that only warn are not among them.
func TestOneWindowMeetsAll(t *testing.T) {
	scaled := then(strings.NewReplacer(`containers: [{name: c, image: "ledger:1"}]`, droppedImage, "replicas: 10", "replicas: 1").Replace(keptSet), keptSet)
	warned := map[v1alpha1.RuleName]v1alpha1.Action{v1alpha1.RuleChangeWindowRequired: v1alpha1.ActionWarn}
	for name, tc := range map[string]struct {
		reason     string
		cluster    *policy.ClusterView
		operations []v1alpha1.Operation
		want       string
	}{
		"both":                     {"one window permits all", enforcing(nil), []v1alpha1.Operation{v1alpha1.OperationUpdate, v1alpha1.OperationScale}, "w Update"},
		"only the update":          {"scaling is not permitted", enforcing(nil), []v1alpha1.Operation{v1alpha1.OperationUpdate}, ""},
		"only the scaling":         {"the update is not permitted", enforcing(nil), []v1alpha1.Operation{v1alpha1.OperationScale}, ""},
		"the scaling, as demanded": {"maintenance only warns", enforcing(warned), []v1alpha1.Operation{v1alpha1.OperationScale}, "w Scale"},
	} {
		t.Run(name, func(t *testing.T) {
			state := &change.State{Windows: []v1alpha1.ChangeWindow{bobs("payments", "production", v1alpha1.Scope{
				Operations: tc.operations, Resources: []v1alpha1.ScopedResource{{Group: "apps", Kind: "StatefulSet", Names: []v1alpha1.Glob{"ledger"}}},
			})}}
			d, err := policy.Evaluate(*demanding(t, scaled), tc.cluster, state)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if d.Use != nil {
				got = d.Use.Verdict.Window.Name + " " + string(d.Use.Operation)
			}
			if got != tc.want || d.Allowed != (tc.want != "") {
				t.Errorf("used: %q, admitted: %t; want %q: %s\n%v", got, d.Allowed, tc.want, tc.reason, d.Findings)
			}
		})
	}
}

// TestSeveralDemandsAreTold checks that the sentence names one window for all demands, with every operation that it must permit.
func TestSeveralDemandsAreTold(t *testing.T) {
	req := demanding(t, then(strings.NewReplacer(`containers: [{name: c, image: "ledger:1"}]`, droppedImage, "replicas: 10", "replicas: 1").Replace(keptSet), keptSet))
	d, err := policy.Evaluate(*req, enforcing(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = `statefulsets.apps "ledger" is forbidden: do it in smaller steps, or request a window: kubectl firebreak request -f MANIFEST -n payments --operation Update,Scale ` +
		`(BlastRadius: this scales from 10 to 1, by more than 50 %, which "production" does not allow at once; ` +
		`ChangeWindowRequired: this is maintenance in "production": it runs psql and names data store "orders", and the same window must permit it)`
	if got := policy.DenialMessage(*req, d.Denied()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// alicesApproval returns Alice's approval of a window as it is now.
func alicesApproval(w *v1alpha1.ChangeWindow) v1alpha1.ChangeApproval {
	return v1alpha1.ChangeApproval{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: w.Namespace}, Spec: v1alpha1.ChangeApprovalSpec{
		Window: &v1alpha1.LocalReference{Name: w.Name, UID: string(w.UID)}, Decision: v1alpha1.DecisionApprove, Digest: change.WindowDigest(&w.Spec),
		Approver: &v1alpha1.Stamp{Username: "oidc:alice", Groups: []string{"sre"}},
	}}
}

// TestAnOverrideForOneOperation checks that an approved emergency which overrides a freeze to scale lets no other image pass in the same
// write.
func TestAnOverrideForOneOperation(t *testing.T) {
	otherImage := then(strings.NewReplacer("replicas: 10", "replicas: 1", "ledger:1", "ledger:2").Replace(keptSet), keptSet)
	scaled := then(strings.Replace(keptSet, "replicas: 10", "replicas: 1", 1), keptSet)
	warned := map[v1alpha1.RuleName]v1alpha1.Action{v1alpha1.RuleBlastRadius: v1alpha1.ActionWarn}
	freeze := func(level v1alpha1.FreezeLevel) v1alpha1.ChangeFreeze {
		return v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: "quiet"}, Spec: v1alpha1.ChangeFreezeSpec{
			Environments: []string{"production"}, Level: level, Reason: "test",
		}}
	}
	const scale, update = v1alpha1.OperationScale, v1alpha1.OperationUpdate
	for name, tc := range map[string]struct {
		reason     string
		cluster    *policy.ClusterView
		level      v1alpha1.FreezeLevel
		objects    string
		operations []v1alpha1.Operation
		admitted   bool
	}{
		"another image under Scale":              {"the window lets it scale", enforcing(nil), v1alpha1.FreezeChanges, otherImage, []v1alpha1.Operation{scale}, false},
		"another image, scaling only warns":      {"the freeze denies all the same", enforcing(warned), v1alpha1.FreezeChanges, otherImage, []v1alpha1.Operation{scale}, false},
		"another image under Update":             {"scaling that far wants Scale", enforcing(nil), v1alpha1.FreezeChanges, otherImage, []v1alpha1.Operation{update}, false},
		"another image under both":               {"the window permits all that is done", enforcing(nil), v1alpha1.FreezeChanges, otherImage, []v1alpha1.Operation{scale, update}, true},
		"replicas alone under Scale":             {"it is all that is done", enforcing(nil), v1alpha1.FreezeEverything, scaled, []v1alpha1.Operation{scale}, true},
		"replicas alone, a freeze of changes":    {"scaling is not a change", enforcing(nil), v1alpha1.FreezeChanges, scaled, []v1alpha1.Operation{scale}, true},
		"replicas alone under another operation": {"the window is not for it", enforcing(nil), v1alpha1.FreezeEverything, scaled, []v1alpha1.Operation{update}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := bobs("payments", "production", v1alpha1.Scope{Operations: tc.operations, Resources: []v1alpha1.ScopedResource{{Group: "apps", Kind: "StatefulSet", Names: []v1alpha1.Glob{"ledger"}}}})
			w.Spec.Type, w.Spec.OverridesFreeze = v1alpha1.WindowEmergency, true
			state := &change.State{Windows: []v1alpha1.ChangeWindow{w}, Freezes: []v1alpha1.ChangeFreeze{freeze(tc.level)}, Approvals: []v1alpha1.ChangeApproval{alicesApproval(&w)}}
			d, err := policy.Evaluate(*demanding(t, tc.objects), tc.cluster, state)
			if err != nil {
				t.Fatal(err)
			}
			if d.Allowed != tc.admitted {
				t.Errorf("admitted: %t, want %t, since %s: %v", d.Allowed, tc.admitted, tc.reason, d.Findings)
			}
		})
	}
}

// A freeze that only warns, or that an Exemption suspends, takes nothing from what a window permits.
func TestAFreezeThatDoesNotDenyHidesNoWindow(t *testing.T) {
	otherImage := then(strings.NewReplacer("replicas: 10", "replicas: 1", "ledger:1", "ledger:2").Replace(keptSet), keptSet)
	warned := map[v1alpha1.RuleName]v1alpha1.Action{v1alpha1.RuleChangeFrozen: v1alpha1.ActionWarn}
	for name, cluster := range map[string]*policy.ClusterView{"it warns": enforcing(warned), "it is suspended": enforcing(nil, v1alpha1.RuleChangeFrozen)} {
		w := bobs("payments", "production", v1alpha1.Scope{
			Operations: []v1alpha1.Operation{v1alpha1.OperationScale}, Resources: []v1alpha1.ScopedResource{{Group: "apps", Kind: "StatefulSet", Names: []v1alpha1.Glob{"ledger"}}},
		})
		state := &change.State{Windows: []v1alpha1.ChangeWindow{w}, Freezes: []v1alpha1.ChangeFreeze{{
			ObjectMeta: metav1.ObjectMeta{Name: "quiet"}, Spec: v1alpha1.ChangeFreezeSpec{Environments: []string{"production"}, Level: v1alpha1.FreezeChanges, Reason: "test"},
		}}}
		d, err := policy.Evaluate(*demanding(t, otherImage), cluster, state)
		if err != nil {
			t.Fatal(err)
		}
		if !d.Allowed || d.Use == nil || len(d.Findings) != 1 || d.Findings[0].Rule != v1alpha1.RuleChangeFrozen {
			t.Errorf("%s: admitted: %t, use: %v, findings: %v", name, d.Allowed, d.Use, d.Findings)
		}
	}
}
