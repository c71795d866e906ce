package page

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

var the *stage.Stage //nolint:gochecknoglobals // one control plane serves the tests of this package

// more is what the page reads beyond what the people of the story may see: doctor's looks, for the approver alone.
const more = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: robin-doctors}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: firebreak-doctor}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: robin}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: sam-breaks-glass}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: firebreak-breakglass}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: sam}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: freezers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: firebreak-freeze}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: sre}]
`

func TestMain(m *testing.M) {
	os.Exit(fixture.Main(m, stage.Options{}, &the, func(ctx context.Context, s *stage.Stage) error { return s.Apply(ctx, more) }))
}

// address is where a page can be opened.
var address = regexp.MustCompile(`http://\S+/`)

// serve runs kubectl firebreak ui as somebody, and returns its address.
func serve(t *testing.T, who string) string {
	t.Helper()
	kubeconfig, err := the.Kubeconfig(the.UserConfig(who), "payments")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(the.Root, "bin", "kubectl-firebreak"), "ui", "--zone", "Europe/Berlin")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	at := address.FindString(line)
	if err != nil || at == "" {
		t.Fatalf("%v: %q", err, line)
	}
	return at
}

// plugin runs kubectl firebreak as somebody; it must succeed.
func plugin(t *testing.T, who string, args ...string) string {
	t.Helper()
	out, err := the.Plugin(t.Context(), the.UserConfig(who), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
