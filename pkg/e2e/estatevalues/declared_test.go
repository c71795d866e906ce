package estatevalues

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

var (
	the    *stage.Stage    //nolint:gochecknoglobals // one control plane serves the tests of this package
	people *fixture.People //nolint:gochecknoglobals // and so do its people
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx := context.Background()
	s, err := stage.Start(ctx, stage.Options{
		Files: []string{filepath.Join("testdata", "estate.yaml")}, Replicas: 2,
		Before: func(ctx context.Context, s *stage.Stage) error { return s.Staff(ctx) },
	})
	if err == nil {
		the = s
		defer func() { _ = s.Stop() }()
		people, err = fixture.Clients(s)
	}
	if err != nil {
		_, _ = io.WriteString(os.Stderr, err.Error()+"\n")
		return 1
	}
	return m.Run()
}

// upgrade upgrades the release with values on top of the declared estate.
func upgrade(t *testing.T, values ...string) {
	t.Helper()
	var args []string
	for _, v := range values {
		args = append(args, "--set-json", v)
	}
	if out, err := the.Upgrade(t.Context(), filepath.Join(the.Root, "charts", "firebreak"), args...); err != nil {
		t.Fatal(err, out)
	}
}

func logged(word string) string {
	var out []string
	for line := range strings.Lines(the.Pods.Logs()) {
		if strings.Contains(line, word) {
			out = append(out, line)
		}
	}
	return strings.Join(out[max(0, len(out)-20):], "")
}

func environment(t *testing.T, name string) *v1alpha1.Environment {
	t.Helper()
	var e v1alpha1.Environment
	err := people.Admin.Get(t.Context(), client.ObjectKey{Name: name}, &e)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return &e
}

// pending returns the reason and message of PendingApproval, and whether it holds.
func pending(t *testing.T, name string) (reason, message string, holds bool) {
	t.Helper()
	e := environment(t, name)
	if e == nil {
		return "", "", false
	}
	c := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.ConditionPendingApproval)
	if c == nil {
		return "", "", false
	}
	return c.Reason, c.Message, string(c.Status) == "True"
}

// Each test continues from the state that the one before has left, like the days of a cluster.
func TestTheEstateOfTheValues(t *testing.T) {
	t.Run("is applied", isApplied)
	t.Run("grows without asking", growsWithoutAsking)
	t.Run("waits where it weakens", waitsWhereItWeakens)
	t.Run("is weakened under a window", isWeakenedUnderAWindow)
	t.Run("is made whole again", isMadeWholeAgain)
	t.Run("shrinks with the values", shrinks)
	t.Run("says what is malformed", saysWhatIsMalformed)
	t.Run("is nobody else's to write", isNobodyElses)
	t.Run("outlives its declaration", outlivesItsDeclaration)
}

func isApplied(t *testing.T) {
	await.True(t, "production is declared", func() bool {
		reason, _, holds := pending(t, "production")
		return reason == "Applied" && !holds
	})
	var d v1alpha1.DataStore
	if err := people.Admin.Get(t.Context(), client.ObjectKey{Name: "orders"}, &d); err != nil {
		t.Fatal(err)
	}
	if got := environment(t, "production"); got.Spec.ChangeControl.RequiredApprovals == nil || *got.Spec.ChangeControl.RequiredApprovals != 1 {
		t.Errorf("the spec is not what was declared: %+v", got.Spec)
	}
	await.True(t, "it is in force", func() bool {
		err := people.Developer.Create(t.Context(), reaching())
		return err != nil && strings.Contains(err.Error(), `names "orders.prod.db.example.com", data store "orders" of "production"`)
	})
}

func reaching() *corev1.Pod {
	p := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "x", Args: []string{"--host=orders.prod.db.example.com"}}}}}
	p.GenerateName, p.Namespace = "reaching-", "dev"
	return p
}

const (
	more    = `dataStores.orders.hosts=["orders.prod.db.example.com","ledger.prod.db.example.com"]`
	sandbox = `environments.sandbox={"tier":"NonProduction","namespaces":{"names":["sandbox"]}}`
	weaker  = `environments.production.enforcement={"rules":{"PlacementAcrossTiers":"Warn"}}`
)

// Once the boundary is sealed, further hosts still need no window, since they guard more.
func growsWithoutAsking(t *testing.T) {
	if _, err := the.Plugin(t.Context(), the.AdminConfig(), "seal", "production"); err != nil {
		t.Fatal(err)
	}
	upgrade(t, more, sandbox)
	await.True(t, "the data store has the further host", func() bool {
		var d v1alpha1.DataStore
		return people.Admin.Get(t.Context(), client.ObjectKey{Name: "orders"}, &d) == nil && len(d.Spec.Hosts) == 2
	})
	await.True(t, "the further environment is there", func() bool { return environment(t, "sandbox") != nil })
}

// command is the command that the condition tells the user to type, with a placeholder for the digest of the declaration.
const command = "kubectl firebreak request --resource Environment.firebreak.dev/production -n firebreak-system --for-cluster prod-eu-1 --operation Update" +
	" --for-service-account firebreak-system/firebreak --digest DIGEST"

var digests = regexp.MustCompile(`v1:sha256:[0-9a-f]{64}`)

func waitsWhereItWeakens(t *testing.T) {
	before := denials(t)
	upgrade(t, more, sandbox, weaker)
	want := `environments.firebreak.dev "production" is forbidden: request a window: ` + command +
		` (BoundaryTampering: this weakens the boundary: it lowers enforcement of PlacementAcrossTiers from Deny to Warn)`
	var got string
	await.True(t, "the condition says so", func() bool {
		reason, message, holds := pending(t, "production")
		got = message
		return holds && reason == "PendingApproval"
	})
	if got = digests.ReplaceAllString(got, "DIGEST"); got != want {
		t.Errorf("the condition says\n%s\nwant\n%s", got, want)
	}
	if e := environment(t, "production"); e.Spec.Enforcement.Rules[v1alpha1.RulePlacementAcrossTiers] != "" {
		t.Error("the boundary was weakened without a window")
	}
	await.True(t, "the metric says so", func() bool {
		return strings.Contains(scrape(t), `firebreak_estate_pending{kind="Environment",name="production",reason="PendingApproval"} 1`)
	})
	await.True(t, "an Event of the ConfigMap says so", func() bool {
		var l corev1.EventList
		if err := people.Admin.List(t.Context(), &l, client.InNamespace(stage.Namespace)); err != nil {
			t.Fatal(err)
		}
		for _, e := range l.Items {
			if e.InvolvedObject.Name == "firebreak-estate" && e.Reason == "PendingApproval" && digests.ReplaceAllString(e.Message, "DIGEST") == want {
				return true
			}
		}
		return false
	})
	if now := denials(t); now != before {
		t.Errorf("what waits is counted as an attack: %s, then %s", before, now)
	}
}

// denials returns the count of findings of BoundaryTampering, for which there is an alert.
func denials(t *testing.T) string {
	t.Helper()
	var out []string
	for line := range strings.Lines(scrape(t)) {
		if strings.HasPrefix(line, "firebreak_findings_total") && strings.Contains(line, "BoundaryTampering") {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return strings.Join(out, "; ")
}

// asks requests and approves a window with the command that the condition gives.
func asks(t *testing.T, name string, without ...string) {
	t.Helper()
	_, message, _ := pending(t, "production")
	digest := digests.FindString(message)
	if digest == "" {
		t.Fatalf("the condition names no digest: %s", message)
	}
	words := strings.NewReplacer(append(without, "DIGEST", digest)...).Replace(command) + " --environment production --reason the-pool-moves"
	out, err := the.Plugin(t.Context(), the.UserConfig(stage.SRE), append(strings.Fields(words)[2:], "--name", name)...)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "changewindow.firebreak.dev/"+name+" requested in namespace firebreak-system") {
		t.Errorf("the command that the condition gives says %s", out)
	}
}

func approves(t *testing.T, name string) {
	t.Helper()
	if _, err := the.Plugin(t.Context(), the.UserConfig(stage.SecondSRE), "approve", name, "-n", stage.Namespace, "--yes", "--unseen"); err != nil {
		t.Fatal(err)
	}
}

// says waits until the condition's message contains a text.
func says(t *testing.T, what string) {
	t.Helper()
	await.True(t, "the condition says "+what, func() bool {
		_, message, _ := pending(t, "production")
		return strings.Contains(message, what)
	})
}

func isWeakenedUnderAWindow(t *testing.T) {
	asks(t, "weaker")
	says(t, `window "weaker" does not permit it, since it has 0 of 1 approvals`)
	// Only the approved plan is executed: values other than the approved ones wait.
	upgrade(t, more, sandbox, `environments.production.enforcement={"rules":{"PlacementAcrossTiers":"Audit"}}`)
	approves(t, "weaker")
	says(t, `window "weaker" does not permit it, since it was approved with digest v1:sha256:`)
	upgrade(t, more, sandbox, weaker)
	await.True(t, "it is weakened", func() bool {
		return environment(t, "production").Spec.Enforcement.Rules[v1alpha1.RulePlacementAcrossTiers] == v1alpha1.ActionWarn
	})
	await.True(t, "the condition says so", func() bool {
		reason, _, holds := pending(t, "production")
		return reason == "Applied" && !holds
	})
	var all v1alpha1.ChangeExecutionList
	if err := people.Admin.List(t.Context(), &all, client.InNamespace(stage.Namespace)); err != nil {
		t.Fatal(err)
	}
	if len(all.Items) != 1 || !digests.MatchString(all.Items[0].Spec.Digest) || all.Items[0].Spec.Window.Name != "weaker" || all.Items[0].Spec.Requester.Username != "system:serviceaccount:firebreak-system:firebreak" {
		t.Errorf("the use of the window is recorded as %+v", all.Items)
	}
	await.True(t, "the metric is gone", func() bool { return !strings.Contains(scrape(t), "firebreak_estate_pending{") })
}

// If somebody changes an object by hand, the values are restored, unless that weakens the boundary.
func isMadeWholeAgain(t *testing.T) {
	upgrade(t, more, weaker, `environments.sandbox={"tier":"NonProduction","namespaces":{"names":["sandbox"]},"identities":{"users":["sandra"]}}`)
	// A further member may do more, so adding one waits.
	await.True(t, "a further member waits", func() bool { _, _, holds := pending(t, "sandbox"); return holds })
	if err := people.Admin.Delete(t.Context(), environment(t, "sandbox")); err != nil {
		t.Fatal(err)
	}
	await.True(t, "a deleted environment is back", func() bool { return environment(t, "sandbox") != nil })
}

// An object that is no longer declared is deleted, and one of production only under a window.
func shrinks(t *testing.T) {
	if err := people.Admin.Create(t.Context(), &v1alpha1.Environment{
		ObjectMeta: metav1.ObjectMeta{Name: "by-hand"}, Spec: v1alpha1.EnvironmentSpec{Tier: v1alpha1.TierNonProduction},
	}); err != nil {
		t.Fatal(err)
	}
	upgrade(t, more, weaker, `environments.sandbox=null`, `environments.staging=null`, `dataStores.orders=null`)
	await.True(t, "what is declared no more is deleted", func() bool { return environment(t, "sandbox") == nil && environment(t, "staging") == nil })
	var d v1alpha1.DataStore
	await.True(t, "production's data store waits", func() bool {
		d = v1alpha1.DataStore{}
		if err := people.Admin.Get(t.Context(), client.ObjectKey{Name: "orders"}, &d); err != nil {
			t.Fatal(err)
		}
		return meta.IsStatusConditionTrue(d.Status.Conditions, v1alpha1.ConditionPendingApproval)
	})
	c := meta.FindStatusCondition(d.Status.Conditions, v1alpha1.ConditionPendingApproval)
	if !strings.Contains(c.Message, `this weakens the boundary: it deletes data store "orders" of environment "production"`) ||
		!strings.Contains(c.Message, "--resource DataStore.firebreak.dev/orders -n firebreak-system --for-cluster prod-eu-1 --operation Delete --for-service-account firebreak-system/firebreak") {
		t.Errorf("it says %s", c.Message)
	}
	if environment(t, "by-hand") == nil {
		t.Error("what was never declared was deleted")
	}
}

// If a ConfigMap bypasses Helm's schema, Firebreak reports the path of the malformed field, and applies the rest.
func saysWhatIsMalformed(t *testing.T) {
	var cm corev1.ConfigMap
	if err := people.Admin.Get(t.Context(), client.ObjectKey{Namespace: stage.Namespace, Name: "firebreak-estate"}, &cm); err != nil {
		t.Fatal(err)
	}
	good := cm.Data["estate.yaml"]
	write := func(text string) {
		t.Helper()
		raw, err := json.Marshal(map[string]any{"data": map[string]string{"estate.yaml": text}})
		if err != nil {
			t.Fatal(err)
		}
		if err := people.Admin.Patch(t.Context(), &cm, client.RawPatch(types.MergePatchType, raw)); err != nil {
			t.Fatal(err)
		}
	}
	write(strings.Replace(good, "environments:\n", "environments:\n  wrong: {tier: NonProduction, changeControl: {}}\n  typo: {tier: NonProduction, namespace: {}}\n  fine: {tier: NonProduction}\n", 1))
	await.True(t, "what is fine is applied", func() bool { return environment(t, "fine") != nil })
	await.True(t, "what is wrong is said", func() bool {
		said := logged("is not in force")
		return strings.Contains(said, `spec.changeControl: Forbidden: only an environment of tier Production has change control`) && strings.Contains(said, `.spec.namespace: field not declared in schema`)
	})
	if environment(t, "wrong") != nil || environment(t, "typo") != nil {
		t.Error("what is malformed was applied")
	}
	write("environments: [")
	await.True(t, "what cannot be read is said", func() bool {
		return strings.Contains(logged("is not in force"), `key \"estate.yaml\" of ConfigMap \"firebreak-estate\"`)
	})
	if environment(t, "production") == nil || environment(t, "fine") == nil {
		t.Error("what cannot be read has deleted what was there")
	}
	write(good)
	await.True(t, "it is mended", func() bool { return environment(t, "fine") == nil })
}

// Firebreak applies the declaration with its own rights, so a user that declares must have them.
func isNobodyElses(t *testing.T) {
	for _, args := range [][]string{
		{"patch", "configmap", "firebreak-estate", "--type=merge", "-p", `{"data":{"estate.yaml":"environments: {}"}}`},
		{"delete", "configmap", "firebreak-estate"},
	} {
		_, err := the.Kubectl(t.Context(), the.UserConfig(stage.Developer), append(args, "-n", stage.Namespace)...)
		const want = "dana may not write the declared estate: that needs the RBAC verb create on environments.firebreak.dev and datastores.firebreak.dev"
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("kubectl %s: %v, want %q", args[0], err, want)
		}
	}
	if _, err := the.Kubectl(t.Context(), the.UserConfig(stage.Developer), "create", "configmap", "another", "-n", stage.Namespace); err != nil {
		t.Errorf("another ConfigMap is nobody's concern: %v", err)
	}
}

func outlivesItsDeclaration(t *testing.T) {
	if _, err := the.Kubectl(t.Context(), the.AdminConfig(), "delete", "configmap", "firebreak-estate", "-n", stage.Namespace); err != nil {
		t.Fatal(err)
	}
	time.Sleep(11 * time.Second) // Firebreak looks twice
	if environment(t, "production") == nil || environment(t, "development") == nil {
		t.Error("the estate went with its declaration")
	}
}

// scrape returns the metrics of all replicas.
func scrape(t *testing.T) string {
	t.Helper()
	out, err := the.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return out
}
