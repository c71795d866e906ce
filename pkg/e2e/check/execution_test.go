package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

func approve(t *testing.T, window string) {
	t.Helper()
	if out, err := plugin(t, stage.SecondSRE, "approve", window, "-n", "payments", "--yes"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func kubectl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return cluster.Kubectl(t.Context(), cluster.UserConfig(stage.SRE), args...)
}

const release = `apiVersion: batch/v1
kind: CronJob
metadata: {name: report, namespace: payments}
spec:
  schedule: "* * * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "registry.example.com/report@sha256:4444444444444444444444444444444444444444444444444444444444444444", command: [psql, -h, orders.prod.db.example.com, -c, "select 1"]}]}}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: shop-migrate, namespace: payments, annotations: {helm.sh/hook: pre-upgrade}}
spec: {backoffLimit: 0, template: {spec: {restartPolicy: Never, containers: [{name: flyway, image: "registry.example.com/flyway@sha256:5555555555555555555555555555555555555555555555555555555555555555", args: [flyway, "-url=jdbc:postgresql://orders.prod.db.example.com/shop", migrate]}]}}}
`

// A scheduled run of a CronJob takes its own execution, and leaves the hook's; nor does a run that a person starts of the CronJob.
func TestExecutionsBelongToEntries(t *testing.T) {
	file := write(t, "release.yaml", release)
	ask(t, file, "shop-44")
	approve(t, "shop-44")
	parts := strings.SplitN(release, "---\n", 2)
	if out, err := kubectl(t, "apply", "-f", write(t, "cron.yaml", parts[0])); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	t.Cleanup(func() { _, _ = kubectl(t, "delete", "cronjob", "report", "-n", "payments") })
	await.True(t, "a scheduled run", func() bool {
		out, err := kubectl(t, "get", "jobs", "-n", "payments", "-o", "name")
		return err == nil && strings.Contains(out, "/report-")
	})
	if out, err := kubectl(t, "create", "job", "--from=cronjob/report", "report-by-hand", "-n", "payments"); err != nil {
		t.Errorf("%v %s, want a run by hand to have an execution of its own", err, out)
	}
	if out, err := kubectl(t, "apply", "-f", write(t, "hook.yaml", parts[1])); err != nil {
		t.Fatalf("the hook's execution was taken: %v %s", err, out)
	}
	if out, err := kubectl(t, "replace", "--force", "-f", write(t, "hook.yaml", parts[1])); err == nil ||
		!strings.Contains(out, `window "shop-44" covers this, but it has been used for this object once, which is all that it allows: last by sam, to create Job "shop-migrate", at `) ||
		!strings.Contains(out, "have it given back: kubectl firebreak release ") {
		t.Errorf("%v %s, want a second run of the hook refused, and told who ran it", err, out)
	}
}

// The creation of an object that exists takes no execution.
func TestWhatExistsTakesNoExecution(t *testing.T) {
	file := jobFile(t, t.TempDir(), "twice", "migrate")
	ask(t, file, "twice-w", "--executions", "2")
	approve(t, "twice-w")
	if out, err := apply(t, file); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for range 3 {
		if out, err := kubectl(t, "create", "-f", file); err == nil || !strings.Contains(out, "AlreadyExists") && !strings.Contains(out, "already exists") {
			t.Fatalf("%v %s, want it to exist", err, out)
		}
	}
	if out, err := kubectl(t, "delete", "job", "twice", "-n", "payments"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := apply(t, file); err != nil {
		t.Fatalf("an execution is gone: %v %s", err, out)
	}
}

const shop = `apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: payments}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      initContainers: [{name: migrate, image: "registry.example.com/shop@sha256:VERSION", command: [rails, "db:migrate"], env: [{name: DATABASE_HOST, value: orders.prod.db.example.com}]}]
      containers: [{name: web, image: "registry.example.com/shop@sha256:VERSION"}]
`

func version(digit string) string {
	return strings.ReplaceAll(shop, "VERSION", strings.Repeat(digit, 64))
}

// What ran when a window was requested may be put back under that window, once; something else may not.
func TestRollbackInItsOwnWindow(t *testing.T) {
	first, second := write(t, "first.yaml", version("1")), write(t, "second.yaml", version("2"))
	ask(t, first, "shop-1")
	approve(t, "shop-1")
	if out, err := apply(t, first); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	ask(t, second, "shop-2", "--operation", "Update")
	out, err := plugin(t, stage.SecondSRE, "approve", "shop-2", "-n", "payments", "--yes")
	if err != nil || !strings.Contains(out, "plan        the way back of Deployment shop v2:sha256:") || !strings.Contains(out, "(what is stored now)") {
		t.Fatalf("%v %s, want the way back on the screen", err, out)
	}
	if out, err := apply(t, second); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	await.True(t, "both ReplicaSets", func() bool {
		out, err := kubectl(t, "get", "rs", "-n", "payments", "-l", "app=shop", "-o", "name")
		return err == nil && strings.Count(out, "replicaset") == 2
	})
	if out, err := apply(t, write(t, "third.yaml", version("3"))); err == nil || !strings.Contains(out, "PlanMismatch") {
		t.Errorf("%v %s, want another version refused", err, out)
	}
	if out, err := kubectl(t, "rollout", "undo", "deployment/shop", "-n", "payments"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := apply(t, second); err == nil || !strings.Contains(out, "ExecutionsExhausted") {
		t.Errorf("%v %s, want the second update of a kind refused", err, out)
	}
	ask(t, second, "shop-3", "--operation", "Update", "--no-rollback")
	if out, err := plugin(t, stage.SecondSRE, "approve", "shop-3", "-n", "payments", "--yes"); err != nil || strings.Contains(out, "the way back") {
		t.Errorf("%v %s, want no way back", err, out)
	}
}

const reindex = `apiVersion: batch/v1
kind: Job
metadata: {name: orders-index, namespace: payments}
spec:
  backoffLimit: 0
  activeDeadlineSeconds: 600
  template:
    spec:
      restartPolicy: Never
      nodeSelector: {go: "yes"} # no node is ready for it
      volumes: [{name: sql, configMap: {name: reindex-sql}}]
      containers: [{name: c, image: "postgres@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", command: [psql, -h, orders.prod.db.example.com, -f, /sql/run.sql], volumeMounts: [{name: sql, mountPath: /sql}]}]
`

// An admitted run stays what was approved: its deadline stays, it is not tried more often, and what it reads does not change until it has
// ended.
func TestAnAdmittedRunStaysWhatWasApproved(t *testing.T) {
	sql := "{apiVersion: v1, kind: ConfigMap, metadata: {name: reindex-sql, namespace: payments}, data: {run.sql: %q}}"
	script := func(text string) string { return write(t, "sql.yaml", strings.Replace(sql, "%q", `"`+text+`"`, 1)) }
	if out, err := apply(t, script("REINDEX DATABASE orders;")); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	file := write(t, "reindex.yaml", reindex)
	ask(t, file, "reindex-w")
	approve(t, "reindex-w")
	moved := write(t, "moved.yaml", strings.Replace(reindex, "go:", "ready:", 1))
	if out, err := apply(t, moved); err == nil || !strings.Contains(out, `nodeSelector`) {
		t.Errorf("%v %s, want another node's Job refused", err, out)
	}
	if out, err := apply(t, file); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	patch := func(p string) (string, error) {
		return kubectl(t, "patch", "job", "orders-index", "-n", "payments", "--type=json", "-p", p)
	}
	for p, want := range map[string]string{
		`[{"op":"remove","path":"/spec/activeDeadlineSeconds"}]`:            "activeDeadlineSeconds: approved 600, submitted nothing",
		`[{"op":"replace","path":"/spec/backoffLimit","value":5}]`:          `backoffLimit: approved "0", submitted "5"`,
		`[{"op":"replace","path":"/spec/activeDeadlineSeconds","value":9}]`: "",
	} {
		if out, err := patch(p); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(out, want)) {
			t.Errorf("%s: %v %s, want %q", p, err, out, want)
		}
	}
	// Back to the plan is part of the same execution.
	if out, err := patch(`[{"op":"replace","path":"/spec/activeDeadlineSeconds","value":600}]`); err != nil {
		t.Errorf("%v %s", err, out)
	}
	locked(t, script)
	if out, err := kubectl(t, "delete", "job", "orders-index", "-n", "payments"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	await.True(t, "the ConfigMap to be free", func() bool {
		_, err := kubectl(t, "apply", "-f", script("SELECT 1;"))
		return err == nil
	})
}

// locked checks that what the run of a Job was approved with cannot change.
func locked(t *testing.T, script func(text string) string) {
	t.Helper()
	for _, change := range [][]string{{"apply", "-f", script("DROP DATABASE orders;")}, {"delete", "configmap", "reindex-sql", "-n", "payments"}} {
		await.True(t, "the ConfigMap to be locked", func() bool {
			out, err := kubectl(t, append(change, "--dry-run=server")...)
			return err != nil || strings.Contains(out, "has not ended")
		})
		if out, err := kubectl(t, change...); err == nil || !strings.Contains(out, `wait until Job "orders-index" has ended, or delete it first (PlanMismatch: Job "orders-index" was approved in window "reindex-w" with the present content of this ConfigMap, and has not ended`) {
			t.Errorf("%v %s, want the ConfigMap of a run kept", err, out)
		}
	}
}
