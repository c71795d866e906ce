package check

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// forBoundary requests a window in Firebreak's namespace as sam, and has robin approve it. It returns what robin sees.
func forBoundary(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := plugin(t, stage.SRE, append([]string{"request", "-n", stage.Namespace, "--for-cluster", stage.Cluster, "--environment", "production", "--reason", "test", "--name", name}, args...)...)
	if err != nil {
		t.Fatalf("request %s: %v %s", name, err, out)
	}
	t.Cleanup(func() {
		_, _ = cluster.Kubectl(context.WithoutCancel(t.Context()), cluster.AdminConfig(), "delete", "changewindow", name, "-n", stage.Namespace)
	})
	out, err = plugin(t, stage.SecondSRE, "approve", name, "-n", stage.Namespace, "--yes")
	if err != nil {
		t.Fatalf("approve %s: %v %s", name, err, out)
	}
	return out
}

const archive = "apiVersion: firebreak.dev/v1alpha1\nkind: DataStore\nmetadata: {name: archive}\nspec: {environment: production, hosts: [archive.prod.db.example.com]}\n"

// A window that deletes what the boundary rests on is for the one object that the approver saw, and says what that changes.
func TestADeletionOfTheBoundaryIsOfOneObject(t *testing.T) {
	sam := func(args ...string) (string, error) {
		return cluster.Kubectl(t.Context(), cluster.UserConfig(stage.SRE), args...)
	}
	file := write(t, "archive.yaml", archive)
	if out, err := sam("apply", "-f", file); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	seen := forBoundary(t, "archive-goes", "--resource", "DataStore.firebreak.dev/archive", "--operation", "Delete")
	for _, want := range []string{"may         Delete DataStore archive (Delete only of UID ", "consequence production loses 1 data store: archive\n", "consequence production loses 1 host: archive.prod.db.example.com\n"} {
		if !strings.Contains(seen, want) {
			t.Errorf("the approver does not see %q:\n%s", want, seen)
		}
	}
	if out, err := sam("delete", "datastore", "archive"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := sam("apply", "-f", file); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := sam("delete", "datastore", "archive"); err == nil || !strings.Contains(out, "it is for the deletion of an object with UID ") || !strings.Contains(out, "it was made again") {
		t.Errorf("%v %s, want the other object of that name refused", err, out)
	}
	forBoundary(t, "archive-goes-again", "--resource", "DataStore.firebreak.dev/archive", "--operation", "Delete")
	if out, err := sam("delete", "datastore", "archive"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	const unpinned = `apiVersion: firebreak.dev/v1alpha1
kind: ChangeWindow
metadata: {name: by-name, namespace: firebreak-system}
spec:
  environment: production
  reason: test
  schedule: {start: "2026-01-01T00:00:00Z", end: "2099-01-01T00:00:00Z"}
  scope: {clusters: [prod-eu-1], operations: [Delete], resources: [{group: firebreak.dev, kind: DataStore, names: [orders]}]}
`
	if out, err := sam("apply", "-f", write(t, "by-name.yaml", unpinned)); err == nil || !strings.Contains(out, `a window that deletes DataStore "orders" gives uids, so that it deletes no other of that name; kubectl firebreak request fills them in`) {
		t.Errorf("%v %s", err, out)
	}
}

// The approver of another list of members sees how many gain what.
func TestTheApproverSeesTheConsequence(t *testing.T) {
	current, err := cluster.Kubectl(t.Context(), cluster.UserConfig(stage.SRE), "get", "environment", "production", "-o", "yaml")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(current, "groups:\n", "groups:\n    - contractors\n", 1)
	if changed == current {
		t.Fatalf("production lists no groups: %s", current)
	}
	seen := forBoundary(t, "contractors", "-f", write(t, "production.yaml", changed), "--operation", "Update")
	if !strings.Contains(seen, " namespaces of production gain 1 identity: group contractors\n") {
		t.Errorf("the approver sees:\n%s", seen)
	}
}

// A definition of one of Firebreak's kinds is changed as it was approved, and not otherwise.
func TestADefinitionIsPinned(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(cluster.Root, "config", "crd", "firebreak.dev_exemptions.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	fewer := strings.Replace(string(raw), "maxItems: ", "maxItems: 9", 1)
	if fewer == string(raw) {
		t.Fatal("the definition has no limit to change")
	}
	file := write(t, "exemptions.yaml", fewer)
	admin := func(args ...string) (string, error) {
		return cluster.Kubectl(t.Context(), cluster.AdminConfig(), args...)
	}
	if out, err := admin("replace", "-f", file); err == nil || !strings.Contains(out, "it changes customresourcedefinitions.apiextensions.k8s.io \"exemptions.firebreak.dev\"") {
		t.Fatalf("%v %s", err, out)
	}
	for _, args := range [][]string{
		{"create", "clusterrole", "defines", "--verb=get,update,create", "--resource=customresourcedefinitions.apiextensions.k8s.io"},
		{"create", "clusterrolebinding", "sre-defines", "--clusterrole=defines", "--group=sre"},
	} {
		if out, err := admin(args...); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	out, err := plugin(t, stage.SRE, "request", "-f", file, "-n", stage.Namespace, "--for-cluster", stage.Cluster, "--environment", "production", "--operation", "Update", "--reason", "test", "--name", "definition")
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := plugin(t, stage.SecondSRE, "approve", "definition", "-n", stage.Namespace, "--yes", "-f", file); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	other := write(t, "other.yaml", strings.Replace(fewer, "maxItems: 9", "maxItems: 8", 1))
	if out, err := cluster.Kubectl(t.Context(), cluster.UserConfig(stage.SRE), "replace", "-f", other); err == nil || !strings.Contains(out, `window "definition"`) {
		t.Errorf("%v %s, want another definition refused", err, out)
	}
	if out, err := cluster.Kubectl(t.Context(), cluster.UserConfig(stage.SRE), "replace", "-f", file); err != nil {
		t.Errorf("%v %s", err, out)
	}
}

// A routine may run any of several images that were approved together, and records which.
func TestAnyOfSeveralImages(t *testing.T) {
	job := func(digit string) string {
		return fmt.Sprintf("{apiVersion: batch/v1, kind: Job, metadata: {name: any-image-%s, namespace: payments}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: \"registry.example.com/flyway@sha256:%s\", args: [migrate], env: [{name: DB_HOST, value: orders.prod.db.example.com}]}]}}}}\n",
			digit, strings.Repeat(digit, 64))
	}
	listed := "registry.example.com/flyway@sha256:" + strings.Repeat("b", 64)
	file := write(t, "any.yaml", strings.Replace(job("a"), "name: any-image-a", "generateName: any-image-", 1))
	out, err := plugin(t, stage.SRE, "request", "-f", file, "-n", "payments", "--environment", "production", "--reason", "test", "--name", "any-image", "--executions", "5", "--or-image", listed)
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := plugin(t, stage.SecondSRE, "approve", "any-image", "-n", "payments", "--yes"); err != nil || !strings.Contains(out, "image registry.example.com/flyway may be any of:\n") {
		t.Fatalf("%v %s", err, out)
	}
	for _, digit := range []string{"a", "b"} {
		if out, err := apply(t, write(t, digit+".yaml", job(digit))); err != nil {
			t.Errorf("%v %s", err, out)
		}
	}
	if out, err := apply(t, write(t, "c.yaml", job("c"))); err == nil || !strings.Contains(out, "PlanMismatch") {
		t.Errorf("%v %s, want an image refused that nobody listed", err, out)
	}
	if out, err := plugin(t, stage.SRE, "request", "-f", file, "-n", "payments", "--environment", "production", "--reason", "test", "--name", "none", "--or-image", "registry.example.com/other@sha256:"+strings.Repeat("b", 64)); err == nil ||
		!strings.Contains(out, "the manifests run no image of registry.example.com/other, in whose place it could run") {
		t.Errorf("%v %s", err, out)
	}
}
