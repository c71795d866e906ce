package check

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

const flyway = "{name: flyway, image: 'registry.example.com/flyway@sha256:3333333333333333333333333333333333333333333333333333333333333333', args: [flyway, '-url=jdbc:postgresql://orders.prod.db.example.com/tenant', '-password=hunter2', %s]}"

// jobFile writes the manifest of a Job that runs flyway.
func jobFile(t *testing.T, folder, name, does string) string {
	t.Helper()
	file := filepath.Join(folder, name+".yaml")
	job := fmt.Sprintf("{apiVersion: batch/v1, kind: Job, metadata: {name: %s, namespace: payments}, spec: {backoffLimit: 0, template: {spec: {restartPolicy: Never, containers: [%s]}}}}\n", name, fmt.Sprintf(flyway, does))
	if err := os.WriteFile(file, []byte(job), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// ask has sam request a window in payments, and returns what the plugin says.
func ask(t *testing.T, file, name string, more ...string) string {
	t.Helper()
	out, err := plugin(t, stage.SRE, append([]string{"request", "-f", file, "-n", "payments", "--environment", "production", "--start", "now", "--duration", "1h", "--reason", "the orders move", "--name", name}, more...)...)
	if err != nil {
		t.Fatalf("request: %v %s", err, out)
	}
	t.Cleanup(func() {
		_, _ = cluster.Kubectl(context.WithoutCancel(t.Context()), cluster.AdminConfig(), "delete", "changewindow", name, "-n", "payments", "--ignore-not-found")
	})
	return out
}

func apply(t *testing.T, file string) (string, error) {
	t.Helper()
	return cluster.Kubectl(t.Context(), cluster.UserConfig(stage.SRE), "apply", "-f", file)
}

// Two Jobs that differ in a word give the approver two screens; a credential is on neither. What differs from the window is not approved
// with it, and does not run under it.
func TestTheApproverSeesWhatRuns(t *testing.T) {
	folder := t.TempDir()
	migrate, wipe := jobFile(t, folder, "tenant-one", "migrate"), jobFile(t, t.TempDir(), "tenant-one", "clean")
	ask(t, migrate, "tenant-one-w")
	out, err := plugin(t, stage.SecondSRE, "approve", "tenant-one-w", "-n", "payments", "-f", wipe, "--yes")
	for _, want := range []string{
		"used by     sam", "namespaces  payments", "executions  1", "backoffLimit = 0",
		"flyway -url=jdbc:postgresql://orders.prod.db.example.com/tenant '-password=(hidden, sha256 ", ")' migrate\n",
		"(no window was used for it before)", "Job tenant-one: is not what the window pins\n", `clean"]`, "the manifest is not what the window pins, so nothing is approved",
	} {
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("%v: the screen lacks %q:\n%s", err, want, out)
		}
	}
	if strings.Contains(out, "hunter2") {
		t.Errorf("a credential is on the screen:\n%s", out)
	}
	if out, err := plugin(t, stage.SecondSRE, "approve", "tenant-one-w", "-n", "payments", "-f", migrate, "--yes"); err != nil || !strings.Contains(out, "Job tenant-one: is what the window pins, in all ") {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := apply(t, wipe); err == nil || !strings.Contains(out, `migrate"], submitted ["flyway","-url=jdbc:postgresql://orders.prod.db.example.com/tenant","-password=(hidden, sha256 `) || strings.Contains(out, "hunter2") {
		t.Errorf("%v %s, want it refused as another plan", err, out)
	}
	if out, err := apply(t, migrate); err != nil {
		t.Fatalf("%v %s", err, out)
	}
}

// A manifest of three Jobs runs three times, and no fourth time.
func TestAWindowRunsEachObjectOfItsManifest(t *testing.T) {
	folder := t.TempDir()
	var files []string
	for i := range 3 {
		files = append(files, jobFile(t, folder, fmt.Sprintf("tenant-%d", 10+i), "migrate"))
	}
	ask(t, folder, "tenants")
	if out, err := plugin(t, stage.SecondSRE, "approve", "tenants", "-n", "payments", "--yes"); err != nil || !strings.Contains(out, "executions  3: each object once\n") {
		t.Fatalf("%v %s", err, out)
	}
	for _, file := range files {
		if out, err := apply(t, file); err != nil {
			t.Errorf("%v %s", err, out)
		}
	}
}

// A freeze over a window is told to whoever requests it and whoever approves it, and the window is not open while it holds.
func TestAFreezeOverAWindowIsTold(t *testing.T) {
	if out, err := plugin(t, stage.SecondSRE, "freeze", "production", "--name", "year-end", "--reason", "the books are closed", "--only-namespace", "payments"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	t.Cleanup(func() { _, _ = plugin(t, stage.SecondSRE, "unfreeze", "year-end") })
	file := jobFile(t, t.TempDir(), "frozen", "migrate")
	const told, leaves = `"year-end" holds from `, "he window does not open unless the freeze is lifted"
	if out := ask(t, file, "frozen-w"); !strings.Contains(out, told) || !strings.Contains(out, leaves) {
		t.Errorf("the request says nothing of the freeze: %s", out)
	}
	if out, err := plugin(t, stage.SecondSRE, "approve", "frozen-w", "-n", "payments", "--yes"); err != nil || !strings.Contains(out, told) || !strings.Contains(out, leaves) {
		t.Errorf("%v: the approval says nothing of the freeze: %s", err, out)
	}
	says(t, "frozen-w", `Approved/Frozen/robin froze production until somebody lifts it (freeze "year-end": "the books are closed"); it does not open before it closes`)
	if out, err := apply(t, file); err == nil || !strings.Contains(out, "have the freeze lifted: kubectl firebreak unfreeze year-end, or: kubectl firebreak emergency --override-freeze -n payments") {
		t.Errorf("%v %s, want the ways out", err, out)
	}
	if out, err := plugin(t, stage.SecondSRE, "unfreeze", "year-end"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	says(t, "frozen-w", "Open/Open/until ")
}

// says waits until the status of a window begins with a text.
func says(t *testing.T, window, want string) {
	t.Helper()
	await.True(t, want, func() bool {
		out, err := cluster.Kubectl(t.Context(), cluster.AdminConfig(), "get", "changewindow", window, "-n", "payments", "-o",
			`jsonpath={.status.phase}/{.status.conditions[?(@.type=="Ready")].reason}/{.status.conditions[?(@.type=="Ready")].message}`)
		return err == nil && strings.HasPrefix(out, want)
	})
}

// What is approved for the boundary is what changes: another change of the same object is refused, and the approver sees old and new.
func TestABoundaryWindowPinsTheSpec(t *testing.T) {
	raw, err := cluster.Kubectl(t.Context(), cluster.AdminConfig(), "get", "environment", "production", "-o", "json")
	if err != nil {
		t.Fatalf("%v %s", err, raw)
	}
	manifest := func(edit func(control map[string]any)) string {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(raw), &o); err != nil {
			t.Fatal(err)
		}
		delete(o, "status")
		o["metadata"] = map[string]any{"name": "production", "annotations": map[string]any{"firebreak.dev/sealed": "true"}}
		spec, _ := o["spec"].(map[string]any)
		control, _ := spec["changeControl"].(map[string]any)
		edit(control)
		text, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "production.yaml")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	nine := manifest(func(c map[string]any) { c["maxWindowDuration"] = "9h" })
	evil := manifest(func(c map[string]any) { c["requiredApprovals"], c["maintenance"] = 0, "Labeled" })
	request := []string{"-n", stage.Namespace, "--for-cluster", stage.Cluster, "--operation", "Update", "--environment", "production", "--start", "now", "--duration", "1h", "--reason", "nine hours", "--name", "nine"}
	if out, err := plugin(t, stage.SRE, append([]string{"request", "-f", nine}, request...)...); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	out, err := plugin(t, stage.SecondSRE, "approve", "nine", "-n", stage.Namespace, "--yes")
	for _, want := range []string{"--- what is stored\n", "+++ this plan\n", `-spec.changeControl.maxWindowDuration = 8h`, `+spec.changeControl.maxWindowDuration = 9h`} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("%v: the screen lacks %q:\n%s", err, want, out)
		}
	}
	if out, err := apply(t, evil); err == nil || !strings.Contains(out, `spec.changeControl.maintenance: approved "Detect", submitted "Labeled"`) {
		t.Errorf("%v %s, want it refused as another spec", err, out)
	}
	if out, err := apply(t, nine); err != nil {
		t.Errorf("%v %s", err, out)
	}
	out, err = plugin(t, stage.SRE, "request", "--resource", "Environment.firebreak.dev/production", "-n", stage.Namespace, "--for-cluster", stage.Cluster, "--operation", "Update",
		"--environment", "production", "--reason", "anything", "--name", "anything")
	if err == nil || !strings.Contains(out, `spec.plan: Required value: a window for Environment "production" says what it is to be; kubectl firebreak request -f MANIFEST fills it in`) {
		t.Errorf("%v %s, want a window that pins nothing refused", err, out)
	}
}
