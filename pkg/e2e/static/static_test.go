package static

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

//nolint:gochecknoglobals // TestMain sets up one for all: it takes ten seconds
var (
	the *stage.Stage
	// folder holds the files that the API server loads.
	folder string
)

func TestMain(m *testing.M) {
	os.Exit(fixture.Main(m, stage.Options{Replicas: 1, Values: []string{"staticManifests.keep=true"}}, &the, load))
}

// load writes the files, and has the API server load them.
func load(ctx context.Context, s *stage.Stage) error {
	folder = filepath.Join(s.Dir(), "static")
	if _, err := s.Plugin(ctx, s.AdminConfig(), "static-manifests", "--out", folder, "--folder", folder); err != nil {
		return err
	}
	if err := s.RestartAPIServer(ctx, "--feature-gates=ManifestBasedAdmissionControlConfig=true", "--admission-control-config-file="+filepath.Join(folder, "admission.yaml")); err != nil {
		return err
	}
	return s.Settled(ctx)
}

// administrator runs kubectl as a member of system:masters, whom no authorizer stops.
func administrator(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return the.Kubectl(t.Context(), the.AdminConfig(), args...)
}

// forbidden checks that the administrator is refused, with a sentence. GUARD stands for the file to take away first.
func forbidden(t *testing.T, sentence string, args ...string) {
	t.Helper()
	out, err := administrator(t, args...)
	sentence = strings.ReplaceAll(sentence, "GUARD", filepath.Join(folder, "policies", "guard.yaml"))
	if err == nil || !strings.Contains(out, sentence) {
		t.Errorf("kubectl %s: %v %s\nwant it refused with: %s", strings.Join(args, " "), err, out, sentence)
	}
}

// across is a ConfigMap of development that names production's data store.
const across = `{apiVersion: v1, kind: ConfigMap, metadata: {name: across, namespace: dev}, data: {db: orders.prod.db.example.com}}`

// develops reports whether a developer's ConfigMap is refused for naming production.
func develops(t *testing.T) string {
	t.Helper()
	out, err := the.KubectlWith(t.Context(), the.UserConfig(stage.Developer), across, "create", "--dry-run=server", "-f", "-")
	if err == nil {
		return "admitted: " + out
	}
	return out
}

// Nobody takes away through the API what a file on the API server's disk guards, and nobody sees it there.
func TestNobodyTakesTheBoundaryAway(t *testing.T) {
	const (
		webhook = "this registration of Firebreak's is guarded by a file on the disk of each API server; to "
		policy  = "this policy of Firebreak's is guarded by a file on the disk of each API server; to change or delete it, take GUARD away first"
	)
	for _, kind := range []string{"validatingwebhookconfiguration", "mutatingwebhookconfiguration"} {
		forbidden(t, webhook+"delete it, take GUARD away first", "delete", kind, "firebreak")
		forbidden(t, webhook+"change it, take GUARD away first, and write the files anew afterwards", "patch", kind, "firebreak", "--type=json", "-p", `[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]`)
		forbidden(t, webhook+"change it, take GUARD away first, and write the files anew afterwards", "patch", kind, "firebreak", "--type=json", "-p", `[{"op":"remove","path":"/webhooks/0"}]`)
		forbidden(t, webhook+"change it, take GUARD away first, and write the files anew afterwards", "patch", kind, "firebreak", "--type=json", "-p", `[{"op":"replace","path":"/webhooks/0/rules/0/operations","value":["CONNECT"]}]`)
		forbidden(t, webhook+"change it, take GUARD away first, and write the files anew afterwards", "patch", kind, "firebreak", "--type=json", "-p", `[{"op":"add","path":"/webhooks/0/matchConditions","value":[{"name":"none","expression":"false"}]}]`)
		forbidden(t, "only what keeps the certificate writes the certificate authority of this registration; to do it by hand, take GUARD away from the disk of each API server first",
			"patch", kind, "firebreak", "--type=json", "-p", `[{"op":"replace","path":"/webhooks/0/clientConfig/caBundle","value":"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBQUEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="}]`)
		if out, err := administrator(t, "label", kind, "firebreak", "looked-at=yes"); err != nil {
			t.Errorf("%v %s, want labels to be anybody's", err, out)
		}
	}
	for _, kind := range []string{"validatingadmissionpolicy", "validatingadmissionpolicybinding"} {
		forbidden(t, policy, "delete", kind, "firebreak-approver")
	}
	forbidden(t, policy, "patch", "validatingadmissionpolicy", "firebreak-approver", "--type=merge", "-p", `{"spec":{"failurePolicy":"Ignore"}}`)
	forbidden(t, policy, "patch", "validatingadmissionpolicybinding", "firebreak-approver", "--type=merge", "-p", `{"spec":{"validationActions":["Audit"]}}`)
	forbidden(t, "deleting this definition deletes all objects of its kind, without anybody being asked; it is guarded by a file on the disk of each API server: to delete it, take GUARD away first",
		"delete", "crd", "environments.firebreak.dev")
	forbidden(t, "in this namespace is the record of what was done in production; it is guarded by a file on the disk of each API server: to delete it, take GUARD away first",
		"delete", "namespace", stage.Namespace)
	forbidden(t, "an API service of another server would answer for Firebreak's kinds", "create", "-f", write(t, `{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: v9.firebreak.dev},
  spec: {group: firebreak.dev, version: v9, groupPriorityMinimum: 1, versionPriority: 1, insecureSkipTLSVerify: true, service: {name: a, namespace: default}}}`))
	if out, err := administrator(t, "get", "validatingadmissionpolicies,validatingadmissionpolicybindings,validatingwebhookconfigurations,mutatingwebhookconfigurations", "-o", "name"); err != nil || strings.Contains(out, "static.k8s.io") {
		t.Errorf("%v %s, want nothing to be seen of what the files hold", err, out)
	}
	if out, err := administrator(t, "delete", "validatingadmissionpolicy", "not-firebreaks", "--ignore-not-found"); err != nil {
		t.Errorf("%v %s, want policies of others to be theirs", err, out)
	}
}

// The fence in files holds what machines write of configuration, too, which is admitted while no replica answers, and nobody sees or changes it.
func TestTheFenceInFiles(t *testing.T) {
	if out, err := the.Plugin(t.Context(), the.AdminConfig(), "static-manifests", "--fence", "--out", folder, "--folder", folder); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := the.Plugin(context.Background(), the.AdminConfig(), "static-manifests", "--out", folder, "--folder", folder); err != nil {
			t.Errorf("%v %s", err, out)
		}
	})
	if out, err := administrator(t, "create", "rolebinding", "machine", "-n", "dev", "--clusterrole=edit", "--serviceaccount=dev:default"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	machine, err := the.ServiceAccountConfig(t.Context(), "dev", "default")
	if err != nil {
		t.Fatal(err)
	}
	const refused = "Firebreak's fence refuses this: it names orders.prod.db.example.com, which is production's, and namespace dev is not"
	await.NoError(t, "a machine is refused by the fence", func() error {
		out, err := the.KubectlWith(t.Context(), machine, across, "create", "--dry-run=server", "-f", "-")
		if err == nil || !strings.Contains(out, refused) {
			return fmt.Errorf("%w %s", err, out)
		}
		return nil
	})
	const harmless = `{apiVersion: v1, kind: ConfigMap, metadata: {name: harmless, namespace: dev}, data: {db: orders.dev.db.example.com}}`
	if out, err := the.KubectlWith(t.Context(), machine, harmless, "create", "--dry-run=server", "-f", "-"); err != nil {
		t.Errorf("%v %s", err, out)
	}
	if out, err := administrator(t, "get", "validatingadmissionpolicies", "-o", "name"); err != nil || strings.Contains(out, "static.k8s.io") {
		t.Errorf("%v %s", err, out)
	}
}

// The server keeps the same files as the command writes, anew when the authority is replaced, and whoever manages the nodes' disks needs no right but
// to read them.
func TestTheServerKeepsTheFiles(t *testing.T) {
	if out, err := administrator(t, "create", "role", "node-files", "-n", stage.Namespace, "--verb=get", "--resource=configmaps", "--resource-name=firebreak-static-files"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := administrator(t, "create", "rolebinding", "node-files", "-n", stage.Namespace, "--role=node-files", "--serviceaccount=dev:nodes"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := administrator(t, "create", "serviceaccount", "nodes", "-n", "dev"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	nodes, err := the.ServiceAccountConfig(t.Context(), "dev", "nodes")
	if err != nil {
		t.Fatal(err)
	}
	written, kept := filepath.Join(t.TempDir(), "written"), filepath.Join(t.TempDir(), "kept")
	await.NoError(t, "the files that are kept are those that the command writes", func() error {
		if out, err := the.Plugin(t.Context(), the.AdminConfig(), "static-manifests", "--out", written); err != nil {
			return fmt.Errorf("%w %s", err, out)
		}
		if out, err := the.Plugin(t.Context(), nodes, "static-manifests", "--stored", "--out", kept); err != nil {
			return fmt.Errorf("%w %s", err, out)
		}
		out, err := exec.CommandContext(t.Context(), "diff", "-r", written, kept).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w %s", err, out)
		}
		return nil
	})
	if out, err := the.Plugin(t.Context(), the.AdminConfig(), "static-manifests", "--stored", "--fence", "--out", kept); err == nil || !strings.Contains(out, "--stored writes what the server keeps; the values staticManifests of the chart say what that is") {
		t.Errorf("%v %s", err, out)
	}
	if out, err := administrator(t, "patch", "configmap", "firebreak-static-files", "-n", stage.Namespace, "--type=merge", "-p", `{"data":{"policies__guard.yaml":""}}`); err == nil ||
		!strings.Contains(out, "the fence and Firebreak hold by what stands in these ConfigMaps; only Firebreak writes and deletes them") {
		t.Errorf("%v %s, want nobody else to write them", err, out)
	}
	await.True(t, "it is told that they have changed", func() bool {
		out, err := administrator(t, "get", "events", "-n", stage.Namespace, "--field-selector", "reason=StaticFilesChanged", "-o", "jsonpath={.items[*].message}")
		return err == nil && strings.Contains(out, "copy them there anew, with kubectl firebreak static-manifests --stored.")
	})
}

// Helm upgrades what stays the same.
func TestHelmUpgradesWhatStaysTheSame(t *testing.T) {
	if out, err := the.Upgrade(t.Context(), filepath.Join(the.Root, "charts", "firebreak"), "--set", "podLabels.upgraded=yes"); err != nil {
		t.Errorf("%v %s", err, out)
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// What the files register judges alone, too, once the guard was taken away and the registrations in the API were deleted. An API server that is
// started while no replica answers refuses what persons write, and judges again as soon as one does.
func TestTheFilesHoldAlone(t *testing.T) {
	guard := filepath.Join(folder, "policies", "guard.yaml")
	kept := filepath.Join(the.Dir(), "guard.yaml")
	if err := os.Rename(guard, kept); err != nil {
		t.Fatal(err)
	}
	if out, err := administrator(t, "scale", "deployment", "firebreak", "-n", stage.Namespace, "--replicas=0"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	// While no replica answers, the webhook of the file refuses every change of registrations, so that it is taken away for a moment, too.
	webhooks := filepath.Join(folder, "validating", "webhooks.yaml")
	away := filepath.Join(the.Dir(), "webhooks.yaml")
	if err := os.Rename(webhooks, away); err != nil {
		t.Fatal(err)
	}
	await.NoError(t, "without the guard the registrations can be deleted", func() error {
		_, err := administrator(t, "delete", "validatingwebhookconfiguration,mutatingwebhookconfiguration", "firebreak", "--ignore-not-found")
		return err
	})
	if err := os.Rename(away, webhooks); err != nil {
		t.Fatal(err)
	}
	if err := the.RestartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out := develops(t); !strings.Contains(out, `failed calling webhook "core.firebreak.dev"`) {
		t.Errorf("while no replica answers: %s, want it refused", out)
	}
	if out, err := administrator(t, "get", "namespaces"); err != nil {
		t.Errorf("%v %s, want reading to go on", err, out)
	}
	// Firebreak's own Deployment is never judged, so that it can be started again.
	if out, err := administrator(t, "scale", "deployment", "firebreak", "-n", stage.Namespace, "--replicas=1"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	await.True(t, "it judges again by the files alone", func() bool {
		return strings.Contains(develops(t), `denied the request: configmaps "across" is forbidden: `)
	})
	if err := os.Rename(kept, guard); err != nil {
		t.Fatal(err)
	}
	await.True(t, "what comes back is read without a restart", func() bool {
		out, err := administrator(t, "delete", "crd", "environments.firebreak.dev", "--dry-run=server")
		return err != nil && strings.Contains(out, "take "+guard+" away first")
	})
	if out, err := the.Helm(t.Context(), "uninstall", "firebreak", "-n", stage.Namespace, "--debug"); err == nil || !strings.Contains(err.Error(), "take "+guard+" away first") {
		t.Errorf("%v %s, want helm to say what to take away first", err, out)
	}
}
