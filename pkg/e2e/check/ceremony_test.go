package check

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// What waits for an approver is listed, approved at once, and no longer listed then.
func TestWhatWaitsForAnApprover(t *testing.T) {
	folder := t.TempDir()
	ask(t, jobFile(t, folder, "waits-one", "migrate"), "waits-one-w")
	ask(t, jobFile(t, folder, "waits-two", "migrate"), "waits-two-w")
	says(t, "waits-two-w", "Pending/ApprovalsMissing/0 of 1 approvals")
	says(t, "waits-one-w", "Pending/ApprovalsMissing/0 of 1 approvals")
	if out, err := plugin(t, stage.SRE, "pending", "-n", "payments"); err != nil || strings.Contains(out, "waits-one-w") {
		t.Errorf("%v %s, want nothing of what sam has requested himself", err, out)
	}
	out, err := plugin(t, stage.SecondSRE, "pending", "-n", "payments")
	if err != nil || !strings.Contains(out, "waits-one-w  Normal  production") || !strings.Contains(out, "waits-two-w") || !strings.Contains(out, "kubectl firebreak approve ") {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := plugin(t, stage.SecondSRE, "approve", "--all-mine", "-n", "payments", "--yes"); err == nil || !strings.Contains(out, "--all-mine asks about each window; approve windows by name with --yes") {
		t.Errorf("%v %s, want nothing approved unseen", err, out)
	}
	out, err = pluginWith(t, strings.Repeat("production\n", 20), stage.SecondSRE, "approve", "--all-mine", "-n", "payments")
	if err != nil || !strings.Contains(out, "changewindow.firebreak.dev/waits-one-w approved") || !strings.Contains(out, "changewindow.firebreak.dev/waits-two-w approved") {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := plugin(t, stage.SecondSRE, "pending", "-n", "payments"); err != nil || strings.Contains(out, "waits-one-w") {
		t.Errorf("%v %s, want nothing more", err, out)
	}
}

// A window that is too short is extended by another approval, and what was used up stays used up. One that is not needed any more is closed.
func TestAWindowIsExtendedAndClosed(t *testing.T) {
	folder := t.TempDir()
	first, second := jobFile(t, folder, "long-one", "migrate"), jobFile(t, folder, "long-two", "migrate")
	ask(t, folder, "long-w")
	approve(t, "long-w")
	if out, err := apply(t, first); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	out, err := plugin(t, stage.SRE, "extend", "long-w", "-n", "payments", "--duration", "2h", "--reason", "it takes longer")
	if err != nil || !strings.Contains(out, "it goes on for long-w") {
		t.Fatalf("%v %s", err, out)
	}
	longer := strings.TrimPrefix(strings.Fields(out)[0], "changewindow.firebreak.dev/")
	approve(t, longer)
	if out, err := plugin(t, stage.SRE, "close", "long-w", "-n", "payments"); err != nil || !strings.Contains(out, "long-w closed") {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := kubectl(t, "replace", "--force", "-f", first); err == nil || !strings.Contains(out, fmt.Sprintf("window %q covers this, but it has been used for this object once", longer)) {
		t.Errorf("%v %s, want the first Job used up", err, out)
	}
	if out, err := apply(t, second); err != nil {
		t.Errorf("%v %s", err, out)
	}
	if out, err := plugin(t, stage.SRE, "close", longer, "-n", "payments"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
}

// One window opens two namespaces, and each object runs once in each.
func TestOneWindowForSeveralNamespaces(t *testing.T) {
	job := func(ns string) string {
		return write(t, ns+".yaml", fmt.Sprintf("{apiVersion: batch/v1, kind: Job, metadata: {name: tenant, namespace: %s}, spec: {template: {spec: {restartPolicy: Never, containers: [%s]}}}}\n", ns, fmt.Sprintf(flyway, "migrate")))
	}
	anywhere := write(t, "tenant.yaml", fmt.Sprintf("{apiVersion: batch/v1, kind: Job, metadata: {name: tenant}, spec: {template: {spec: {restartPolicy: Never, containers: [%s]}}}}\n", fmt.Sprintf(flyway, "migrate")))
	out, err := plugin(t, stage.SRE, "request", "-f", anywhere, "--for-namespace", "payments,prod-red", "--for-cluster", stage.Cluster, "--environment", "production", "--reason", "all tenants", "--name", "all-tenants")
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	t.Cleanup(func() {
		_, _ = cluster.Kubectl(context.WithoutCancel(t.Context()), cluster.AdminConfig(), "delete", "changewindow", "all-tenants", "-n", stage.Namespace)
	})
	if out, err := plugin(t, stage.SecondSRE, "approve", "all-tenants", "-n", stage.Namespace, "--yes"); err != nil || !strings.Contains(out, "namespaces  payments, prod-red") || !strings.Contains(out, "executions  2: each object once in each namespace\n") {
		t.Fatalf("%v %s", err, out)
	}
	for _, ns := range []string{"payments", "prod-red"} {
		if out, err := apply(t, job(ns)); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		if out, err := kubectl(t, "replace", "--force", "-f", job(ns)); err == nil || !strings.Contains(out, "it has been used for this object once") {
			t.Errorf("%v %s, want a second run in %s refused", err, out, ns)
		}
	}
}

// A CronJob whose runs no window covers is told of when it is written, when it is checked and in the audit.
func TestACronJobThatWouldNeverRun(t *testing.T) {
	const told = `each run that its schedule starts is maintenance in "production", since it names data store "orders", and no window that recurs has them in scope: they will be refused`
	file := write(t, "never.yaml", `{apiVersion: batch/v1, kind: CronJob, metadata: {name: never, namespace: payments}, spec: {schedule: "0 4 1 1 *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never,
  containers: [{name: c, image: "registry.example.com/report@sha256:4444444444444444444444444444444444444444444444444444444444444444", env: [{name: DB_HOST, value: orders.prod.db.example.com}]}]}}}}}}`)
	if out, err := plugin(t, stage.SRE, "check", "-f", file); err != nil || !strings.Contains(out, told) {
		t.Errorf("check: %v %s", err, out)
	}
	if out, err := apply(t, file); err != nil || !strings.Contains(out, "Warning: ") {
		t.Fatalf("apply: %v %s", err, out)
	}
	t.Cleanup(func() { _, _ = kubectl(t, "delete", "cronjob", "never", "-n", "payments") })
	if out, _ := cluster.Plugin(t.Context(), cluster.AdminConfig(), "audit"); !strings.Contains(out, told) {
		t.Errorf("audit: %s", out)
	}
}

// An emergency covers what its requester does, and not what a schedule starts meanwhile.
func TestAnEmergencyCoversNoSchedule(t *testing.T) {
	if out, err := cluster.Kubectl(t.Context(), cluster.AdminConfig(), "create", "clusterrolebinding", "glass", "--clusterrole=firebreak-breakglass", "--group=sre"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	out, err := plugin(t, stage.SRE, "emergency", "-n", "payments", "--reason", "orders are stuck", "--resource", "Job.batch/*", "--environment", "production")
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	window := strings.Fields(out)[2]
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, _ = cluster.Plugin(ctx, cluster.UserConfig(stage.SecondSRE), "approve", window, "-n", "payments", "--yes")
		_, _ = cluster.Kubectl(ctx, cluster.AdminConfig(), "delete", "changewindow", window, "-n", "payments")
		_, _ = cluster.Kubectl(ctx, cluster.AdminConfig(), "delete", "clusterrolebinding", "glass")
	})
	file := write(t, "often.yaml", `{apiVersion: batch/v1, kind: CronJob, metadata: {name: often, namespace: payments}, spec: {schedule: "* * * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never,
  containers: [{name: c, image: "registry.example.com/report@sha256:4444444444444444444444444444444444444444444444444444444444444444", env: [{name: DB_HOST, value: orders.prod.db.example.com}]}]}}}}}}`)
	if out, err := apply(t, file); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	t.Cleanup(func() { _, _ = kubectl(t, "delete", "cronjob", "often", "-n", "payments") })
	await.True(t, "the run is refused", func() bool {
		out, err := kubectl(t, "get", "events", "-n", "payments", "-o", "jsonpath={.items[*].message}")
		return err == nil && strings.Contains(out, `an emergency covers what its requester does and what that makes, not the schedule of CronJob "often"`)
	})
	if out, err := kubectl(t, "get", "jobs", "-n", "payments", "-o", "name"); err != nil || strings.Contains(out, "/often-") {
		t.Errorf("%v %s, want no run", err, out)
	}
}

// Whoever requests and approves a window that recurs is told until when an approval counts, and a rejected window is not approved.
func TestWordsAboutApprovals(t *testing.T) {
	file := jobFile(t, t.TempDir(), "weekly", "migrate")
	const told = "n approval that is given now counts until "
	out, err := plugin(t, stage.SRE, "request", "-f", file, "-n", "payments", "--environment", "production", "--cron", "0 2 * * 6", "--time-zone", "UTC", "--valid-until", "+8000h", "--reason", "weekly", "--name", "weekly-w")
	if err != nil || !strings.Contains(out, "A"+told) {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := plugin(t, stage.SecondSRE, "approve", "weekly-w", "-n", "payments", "--yes"); err != nil || !strings.Contains(out, "lapses      a"+told) {
		t.Fatalf("%v %s", err, out)
	}
	await.True(t, "the status says so", func() bool {
		out, err := kubectl(t, "get", "changewindow", "weekly-w", "-n", "payments", "-o", `jsonpath={.status.conditions[?(@.type=="Approved")].message}`)
		return err == nil && strings.HasPrefix(out, "approved by robin; that counts until ") && strings.HasSuffix(out, ", before the window ends")
	})
	ask(t, file, "refused-w")
	if out, err := plugin(t, stage.SecondSRE, "reject", "refused-w", "-n", "payments", "--comment", "not on a Friday"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := plugin(t, stage.SecondSRE, "approve", "refused-w", "-n", "payments", "--yes"); err == nil ||
		!strings.Contains(out, `robin rejected it ("not on a Friday"), and a rejection outweighs every approval; request another window if the change is still wanted`) {
		t.Errorf("%v %s, want no approval after a rejection", err, out)
	}
}
