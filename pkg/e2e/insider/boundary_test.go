package insider

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// weakens returns the refusal of a change of the boundary without a window.
func weakens(object, operation, what string) string {
	return byWebhook(object, boundaryRequest(object, operation)+" (BoundaryTampering: this weakens the boundary: "+what+")")
}

// boundaryRequest returns the remedy for it. A deletion or a session is requested by kind and name.
func boundaryRequest(object, operation string) string {
	resource, name, _ := strings.Cut(object, " ")
	what := "-f MANIFEST"
	if operation == "Delete" || operation == "Exec" || strings.HasSuffix(resource, "/token") {
		what = "--resource " + kindOf(resource) + "/" + strings.Trim(name, `"`)
	}
	if operation != "" {
		operation = " --operation " + operation
	}
	return "request a window: " + command(what, stage.Namespace+" --for-cluster "+stage.Cluster+operation)
}

func kindOf(resource string) string {
	return map[string]string{
		"environments.firebreak.dev": "Environment.firebreak.dev", "datastores.firebreak.dev": "DataStore.firebreak.dev",
		"namespaces": "Namespace", "pods/exec": "Pod", "serviceaccounts/token": "TokenRequest.authentication.k8s.io",
	}[resource]
}

// merge patches an object as sam.
func merge(t *testing.T, o client.Object, text string) error {
	t.Helper()
	return as(t, sam).Patch(t.Context(), o, client.RawPatch(types.MergePatchType, []byte(text)))
}

// sam edits what Firebreak judges by, to act afterwards.
func TestTheEnvironmentIsNotEditedFirst(t *testing.T) {
	listed(t)
	const object = `environments.firebreak.dev "production"`
	w := requested(t, sam, window(t, "rules"))
	for name, tc := range map[string]struct{ reason, patch, does string }{
		"no approvals":         {"he would need nobody", `{"spec":{"changeControl":{"requiredApprovals":0}}}`, "it lowers changeControl.requiredApprovals from 1 to 0"},
		"another approver":     {"his second account", `{"spec":{"changeControl":{"approvers":{"users":["sam-too"]}}}}`, `it adds "sam-too" to changeControl.approvers.users`},
		"no list of approvers": {"whoever RBAC lets", `{"spec":{"changeControl":{"approvers":null}}}`, "it lifts the limit on changeControl.approvers"},
		"another member":       {"his second account", `{"spec":{"identities":{"users":["sam-too"]}}}`, `it adds "sam-too" to identities.users`},
		"another requester":    {"his machine", `{"spec":{"changeControl":{"automatedRequesters":["ci/releaser","payments/release-bot"]}}}`, `it adds "payments/release-bot" to changeControl.automatedRequesters`},
		"another launcher":     {"whose Jobs are routine", `{"spec":{"identities":{"jobLaunchers":["ci/launcher","payments/release-bot"]}}}`, `it adds "payments/release-bot" to identities.jobLaunchers`},
		"no automation":        {"a machine would be a person", `{"spec":{"identities":{"automation":null}}}`, "it changes identities.automation"},
		"less maintenance":     {"his Job would be none", `{"spec":{"changeControl":{"maintenance":"Labeled"}}}`, "it lowers changeControl.maintenance from Detect to Labeled"},
		"no plan":              {"anything would run", `{"spec":{"changeControl":{"requirePlan":false}}}`, "it switches changeControl.requirePlan off"},
		"a rule that warns":    {"the one that stops him", `{"spec":{"enforcement":{"rules":{"ChangeWindowRequired":"Warn"}}}}`, "it lowers enforcement of ChangeWindowRequired from Deny to Warn"},
		"the boundary's own rule that warns": {
			"it guards itself", `{"spec":{"enforcement":{"rules":{"BoundaryTampering":"Audit"}}}}`, "it lowers enforcement of BoundaryTampering from Deny to Audit",
		},
		"longer windows":        {"one approval for a year", `{"spec":{"changeControl":{"maxWindowDuration":"1000h"}}}`, "it raises changeControl.maxWindowDuration from 8h to 1000h"},
		"no production":         {"nothing is demanded there", `{"spec":{"tier":"NonProduction","changeControl":null}}`, "it changes tier from Production to NonProduction; it lifts the limit on changeControl.approvers"},
		"without the namespace": {"which would belong to nobody", `{"spec":{"namespaces":{"names":["prod-*"]}}}`, "it changes namespaces"},
		"without the seal":      {"the boundary would be free", `{"metadata":{"annotations":{"firebreak.dev/sealed":null}}}`, "it takes the seal off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			refused(t, merge(t, environment("production"), tc.patch), weakens(object, "Update", tc.does))
			cannotRun(t, as(t, sam), "rules-run", unapproved(w, 0, 1, ""))
		})
	}
	t.Run("a list of approvers where there was none", func(t *testing.T) {
		t.Log("nobody but sam could approve anything there any more, a boundary window to undo it included")
		refused(t, merge(t, environment("vault"), `{"spec":{"changeControl":{"approvers":{"users":["sam"]}}}}`),
			weakens(`environments.firebreak.dev "vault"`, "Update", "it takes the right to approve from all but changeControl.approvers"))
	})
}

// The same holds for everything else that says what is production.
func TestWhatIsProductionIsNotChangedFirst(t *testing.T) {
	listed(t)
	c := as(t, sam)
	w := requested(t, sam, window(t, "estate"))
	orders := func() *v1alpha1.DataStore { return &v1alpha1.DataStore{ObjectMeta: metav1.ObjectMeta{Name: "orders"}} }
	ledger := func() *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ledger", Labels: map[string]string{"env": "dev", corev1.LabelMetadataName: "ledger"}}}
	}
	mine := metav1.ObjectMeta{Name: "mine"}
	expires := metav1.NewTime(time.Now().Add(time.Hour).Truncate(time.Second))
	const moves = `it moves namespace "ledger" from "production" to no environment`
	for name, tc := range map[string]struct {
		reason string
		send   func() error
		want   string
	}{
		"the environment deleted": {"the bluntest way", func() error { return c.Delete(t.Context(), environment("production")) },
			weakens(`environments.firebreak.dev "production"`, "Delete", `it deletes environment "production"`)},
		"all environments deleted": {"one review for each, without its name", func() error { return c.DeleteAllOf(t.Context(), environment("")) },
			weakens(`environments.firebreak.dev "development"`, "Delete", `it deletes environment "development"`)},
		"the environment applied by another manager": {"force takes the ownership of fields, no more", func() error {
			e := environment("production")
			e.Spec = v1alpha1.EnvironmentSpec{Tier: v1alpha1.TierProduction, ChangeControl: &v1alpha1.ChangeControl{RequiredApprovals: new(int32)}}
			return applied(t, c, e)
		}, weakens(`environments.firebreak.dev "production"`, "Update", "it lowers changeControl.requiredApprovals from 1 to 0")},
		"another environment that claims the namespace": {"of two claims the stricter holds, and he sows doubt", func() error {
			return c.Create(t.Context(), &v1alpha1.Environment{ObjectMeta: mine, Spec: v1alpha1.EnvironmentSpec{
				Tier: v1alpha1.TierNonProduction, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{"pay*"}}}})
		}, weakens(`environments.firebreak.dev "mine"`, "", `it claims namespaces "pay*", of which environment "production" owns some`)},
		"an exemption": {"for himself", func() error {
			return c.Create(t.Context(), &v1alpha1.Exemption{ObjectMeta: mine, Spec: v1alpha1.ExemptionSpec{
				Rules: []v1alpha1.RuleName{v1alpha1.RuleChangeWindowRequired}, Subjects: v1alpha1.Subjects{Users: []v1alpha1.Glob{sam}},
				Objects: v1alpha1.ExemptObjects{Group: "batch", Kind: "Job", Namespaces: []v1alpha1.Glob{"payments"}, Names: []v1alpha1.Glob{"*"}},
				Reason:  "I am in a hurry", ExpiresAt: expires}})
		}, weakens(`exemptions.firebreak.dev "mine"`, "", "it exempts from [ChangeWindowRequired] until "+expires.UTC().Format("2006-01-02 15:04 UTC"))},
		"the data store's host": {"his Job would touch nothing", func() error { return merge(t, orders(), `{"spec":{"hosts":["*.orders.prod.db.example.com"]}}`) },
			weakens(`datastores.firebreak.dev "orders"`, "Update", `it removes "orders.prod.db.example.com" from hosts`)},
		"the data store of another environment": {"its host would be development's", func() error { return merge(t, orders(), `{"spec":{"environment":"development"}}`) },
			weakens(`datastores.firebreak.dev "orders"`, "Update", `it changes environment from production to development; it claims service "orders-db" in namespace "payments" of "production"`)},
		"the data store deleted": {"its host would be nobody's", func() error { return c.Delete(t.Context(), orders()) },
			weakens(`datastores.firebreak.dev "orders"`, "Delete", `it deletes data store "orders" of environment "production"`)},
		"a more precise data store": {"the most specific claim wins", func() error {
			return c.Create(t.Context(), &v1alpha1.DataStore{ObjectMeta: mine, Spec: v1alpha1.DataStoreSpec{Environment: "development", Hosts: []string{"x.orders.prod.db.example.com"}}})
		}, weakens(`datastores.firebreak.dev "mine"`, "", `it claims "x.orders.prod.db.example.com", which data store "orders" of environment "production" owns`)},
		"the namespace's label": {"it makes it production", func() error { return merge(t, ledger(), `{"metadata":{"labels":{"env":"dev"}}}`) },
			weakens(`namespaces "ledger"`, "Update", moves)},
		"the namespace's label through its status": {"a status may carry labels", func() error {
			return c.Status().Patch(t.Context(), ledger(), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"env":null}}}`)))
		}, weakens(`namespaces/status "ledger"`, "Update", moves)},
		"the namespace's label through its finalizers": {"so may they", func() error { return c.SubResource("finalize").Update(t.Context(), ledger()) },
			weakens(`namespaces/finalize "ledger"`, "Update", moves)},
		"the namespace deleted": {"and made again", func() error {
			return c.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "payments"}})
		}, byWebhook(`namespaces "payments"`, boundaryRequest(`namespaces "payments"`, "Delete")+` (ProtectedState: this deletes protected state in "production")`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			refused(t, tc.send(), tc.want)
			cannotRun(t, c, "estate-run", unapproved(w, 0, 1, ""))
		})
	}
}

// A window in Firebreak's own namespace may open others, and the boundary; it is approved like any other.
func TestAWindowInFirebreaksNamespaceIsNotSelfApproved(t *testing.T) {
	c := as(t, sam)
	away := requested(t, sam, window(t, "away", func(w *v1alpha1.ChangeWindow) {
		w.Namespace, w.Spec.Scope.Namespaces, w.Spec.Scope.Clusters = stage.Namespace, []string{"payments"}, []string{stage.Cluster}
	}))
	edge := requested(t, sam, boundary(t, "edge", "production", func(spec map[string]any) {
		control, _ := spec["changeControl"].(map[string]any)
		control["requiredApprovals"] = int64(0)
	}))
	t.Cleanup(func() { _ = c.Delete(afterwards(t), edge) })
	for _, w := range []*v1alpha1.ChangeWindow{away, edge} {
		refused(t, c.Create(t.Context(), word(w, w.Name, "")), own(w.Name, w.Name))
		beside := word(w, w.Name, "")
		beside.Namespace = "payments"
		refused(t, c.Create(t.Context(), beside), noSuchWindow(w.Name, "payments", w.Name, string(w.UID)))
	}
	cannotRun(t, c, "away-run", unapproved(away, 0, 1, ""))
	why := unapproved(edge, 0, 1, "")
	lower := byWebhook(`environments.firebreak.dev "production"`, why.remedy+
		" (BoundaryTampering: this weakens the boundary: it lowers changeControl.requiredApprovals from 1 to 0"+why.why+")")
	refused(t, merge(t, environment("production"), `{"spec":{"changeControl":{"requiredApprovals":0}}}`), lower)
}

// A window in a namespace where approvals are easier to get does not open production.
func TestAWindowElsewhereOpensNothingInProduction(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		opens  []string
		want   string
	}{
		"one that lists the namespace": {
			"only Firebreak's namespace may", []string{"payments"}, byPolicy(`changewindows.firebreak.dev "elsewhere"`, "window-place",
				"spec.scope.namespaces is for windows in namespace firebreak-system; any other window opens its own namespace"),
		},
		"one that lists none": {
			"it names an environment that it does not lie in", nil,
			strings.Replace(byWebhook(`ChangeWindow.firebreak.dev "elsewhere"`, `spec.environment: Invalid value: "production": namespace "dev" belongs to "development"`),
				"is forbidden", "is invalid", 1),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(tc.reason)
			w := window(t, "elsewhere", func(w *v1alpha1.ChangeWindow) { w.Namespace, w.Spec.Scope.Namespaces = "dev", tc.opens })
			refused(t, as(t, sam).Create(t.Context(), w), tc.want)
			cannotRun(t, as(t, sam), "elsewhere-run", outOfScope())
		})
	}
}
