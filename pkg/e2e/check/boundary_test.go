package check

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// plugin runs the plugin as a person, as kubectl would.
func plugin(t *testing.T, person string, args ...string) (string, error) {
	t.Helper()
	return pluginWith(t, "", person, args...)
}

// pluginWith runs the plugin as a person who types something.
func pluginWith(t *testing.T, typed, person string, args ...string) (string, error) {
	t.Helper()
	kubeconfig, err := cluster.Kubeconfig(cluster.UserConfig(person), "")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(cluster.Root, "bin", "kubectl-firebreak"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(typed), &out, &out
	err = cmd.Run()
	return out.String(), err
}

// The boundary can be weakened, but openly: once, under a window in Firebreak's own namespace that another person approved.
func TestTheBoundaryIsWeakenedUnderAWindow(t *testing.T) {
	manifest := filepath.Join(t.TempDir(), "production.yaml")
	weaker := read(t, filepath.Join(cluster.Root, "config", "samples", "manifests", "environment-weaker.yaml"))
	raw, err := weaker.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(manifest, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	patch := func(approvals string) (string, error) {
		return cluster.Kubectl(t.Context(), cluster.UserConfig(stage.SRE), "patch", "environment", "production", "--type", "merge",
			"-p", `{"spec":{"changeControl":{"requiredApprovals":`+approvals+`}}}`)
	}
	const command = "kubectl firebreak request -f MANIFEST -n firebreak-system --for-cluster prod-eu-1 --operation Update"
	if out, err := patch("0"); err == nil || !strings.Contains(out, command) {
		t.Fatalf("without a window: %v %s, want it refused and told how to get one", err, out)
	}
	out, err := plugin(t, stage.SRE, "request", "-f", manifest, "-n", stage.Namespace, "--for-cluster", stage.Cluster, "--operation", "Update",
		"--environment", "production", "--start", "now", "--duration", "1h", "--reason", "Nobody else is on duty", "--name", "weaker")
	if err != nil {
		t.Fatalf("request: %v %s", err, out)
	}
	if out, err := patch("0"); err == nil || !strings.Contains(out, `window "weaker" does not permit it, since it has 0 of 1 approvals`) {
		t.Fatalf("without an approval: %v %s", err, out)
	}
	if out, err := plugin(t, stage.SecondSRE, "approve", "weaker", "-n", stage.Namespace, "--yes"); err != nil {
		t.Fatalf("approve: %v %s", err, out)
	}
	if out, err := patch("0"); err != nil {
		t.Fatalf("under the window: %v %s", err, out)
	}
	if out, err := patch("1"); err != nil {
		t.Fatalf("a strengthening needs nothing: %v %s", err, out)
	}
	if out, err := patch("0"); err == nil || !strings.Contains(out, `window "weaker" does not permit it, since it has been used for this object once, which is all that it allows`) {
		t.Fatalf("once more: %v %s, want it refused as used up", err, out)
	}
}

// The text that an approver types is compared: people who type a name notice what they overlooked when they read it.
func TestApproveAsksBack(t *testing.T) {
	out, err := plugin(t, stage.SecondSRE, "approve", "no-such-window", "-n", "payments")
	if err == nil || !strings.Contains(out, `changewindows.firebreak.dev "no-such-window" not found`) {
		t.Errorf("%v %s", err, out)
	}
}
