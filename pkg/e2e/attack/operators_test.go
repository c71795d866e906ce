package attack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "object.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const (
	image    = "postgres:17@sha256:1111111111111111111111111111111111111111111111111111111111111111"
	workflow = `{apiVersion: argoproj.io/v1, kind: Workflow, metadata: {name: %s, namespace: payments}, spec: {templates: [{name: main, container: {image: "` + image + `", %s}}]}}`
	calm     = "command: [make]"
)

// A person's custom resource is maintenance by its templates, even if its controller is listed.
func TestAPersonsCustomResource(t *testing.T) {
	refused(t, sam(), fmt.Sprintf(workflow, "reindex", psql), []string{window, `names data store "orders", runs psql and is started by a person`}, "create", "-f", "-")
	refused(t, sam(), `{apiVersion: jobset.x-k8s.io/v1, kind: JobSet, metadata: {name: reindex, namespace: payments}, spec: {replicatedJobs: [{name: w, template: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: x, `+psql+`}]}}}}}]}}`,
		[]string{window}, "create", "-f", "-")
	refused(t, dana(), strings.Replace(fmt.Sprintf(workflow, "reindex", psql), "namespace: payments", "namespace: dev", 1), []string{"DataStoreAcrossTiers: spec.templates[0].container.command[2]"}, "create", "-f", "-")
}

// The Pods that a controller makes of a Workflow are admitted as far as they match the Workflow's templates. Firebreak reads the
// Workflow with the right that the chart gives it.
func TestWhatTheControllerMakes(t *testing.T) {
	// GitOps writes the Workflow, which touches nothing in production.
	gitops, argo := account(t, "kustomize-system", "default"), account(t, "argo", "argo")
	done(t, gitops, fmt.Sprintf(workflow, "build", calm), "create", "-f", "-")
	uid := done(t, gitops, "", "get", "workflow", "build", "-n", "payments", "-o", "jsonpath={.metadata.uid}")
	pod := func(name, uid, command string) string {
		return fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: payments, ownerReferences: [{apiVersion: argoproj.io/v1, kind: Workflow, name: build, uid: %s, controller: true}]}, spec: {containers: [{name: main, image: %q, %s}]}}`, name, uid, image, command)
	}
	done(t, argo, pod("as-said", uid, "command: [/argoexec, emissary, '--', make]"), "create", "-f", "-")
	refused(t, argo, pod("otherwise", uid, psql), []string{window, `is not what Workflow "build" has in its templates`}, "create", "-f", "-")
	refused(t, argo, pod("of-nobody", "00000000-0000-0000-0000-000000000000", psql), []string{window}, "create", "-f", "-")
}

// A controller that serves both sides is declared as such. A denial of an object that leads to it from elsewhere names the remedy.
func TestGitOpsForBothSides(t *testing.T) {
	kustomization := "{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: prod-target, namespace: %s}, spec: {targetNamespace: payments}}"
	done(t, sam(), fmt.Sprintf(kustomization, "kustomize-system"), "create", "-f", "-")
	refused(t, dana(), fmt.Sprintf(kustomization, "kustomize-system"), []string{"is a member of no Production environment"}, "create", "--dry-run=server", "-f", "-")
	refused(t, sam(), fmt.Sprintf(kustomization, "platform"), []string{`or declare namespace "platform" in an environment of tier Shared if it serves both sides`}, "create", "-f", "-")
}

// A window for a custom resource pins what it runs, shows it to the approver, and covers what its controller makes of it.
func TestAWindowForACustomResource(t *testing.T) {
	plugin := func(person string, args ...string) string {
		t.Helper()
		out, err := the.Plugin(t.Context(), the.UserConfig(person), args...)
		if err != nil {
			t.Fatalf("%v %s", err, out)
		}
		return out
	}
	text := fmt.Sprintf(workflow, "orders-index", `command: [psql], args: ["-h", orders.prod.db.example.com, "-c", "REINDEX DATABASE orders"]`)
	file := write(t, text)
	plugin(stage.SRE, "request", "-f", file, "-n", "payments", "--environment", "production", "--duration", "1h", "--reason", "rebuild", "--name", "wf")
	screen := plugin(stage.SecondSRE, "approve", "wf", "-n", "payments", "-f", file, "--yes")
	for _, want := range []string{"executions  1\n", "plan        Workflow orders-index v2:sha256:", "spec.templates[0].container.args = -h orders.prod.db.example.com -c 'REINDEX DATABASE orders'\n",
		"spec.templates[0].container.image = " + image, "Workflow orders-index: is what the window pins, in all "} {
		if !strings.Contains(screen, want) {
			t.Errorf("the screen lacks %q:\n%s", want, screen)
		}
	}
	refused(t, sam(), strings.Replace(text, "REINDEX DATABASE orders", "DROP DATABASE orders", 1), []string{"PlanMismatch", "REINDEX DATABASE orders", "DROP DATABASE orders"}, "create", "-f", "-")
	done(t, sam(), text, "create", "-f", "-")
	uid := done(t, sam(), "", "get", "workflow", "orders-index", "-n", "payments", "-o", "jsonpath={.metadata.uid}")
	done(t, account(t, "argo", "argo"), fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: orders-index-main, namespace: payments, ownerReferences: [{apiVersion: argoproj.io/v1, kind: Workflow, name: orders-index, uid: %s, controller: true}]},
  spec: {subdomain: added, containers: [{name: main, image: %q, command: [/argoexec, emissary, '--', psql], args: ["-h", orders.prod.db.example.com, "-c", "REINDEX DATABASE orders"], env: [{name: ARGO_POD_UID, value: x}]}]}}`, uid, image), "create", "-f", "-")
	await.True(t, "the log says what was made of it", func() bool {
		return strings.Contains(plugin(stage.SRE, "log", "-n", "payments"), "workflow/orders-index, which made Pod/orders-index-main")
	})
	done(t, sam(), "", "delete", "workflow", "orders-index", "-n", "payments")
	refused(t, sam(), text, []string{"ExecutionsExhausted: window \"wf\" covers this, but it has been used for this object once"}, "create", "-f", "-")
}
