package page

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"k8s.io/client-go/rest"

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
---
# What the chart gives the page in the cluster.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: wallboard-by-hand}
rules:
- {apiGroups: [firebreak.dev], resources: [environments, datastores, changewindows, changeapprovals, changefreezes], verbs: [get, list]}
- {apiGroups: [""], resources: [namespaces], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: wallboard-by-hand}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: wallboard-by-hand}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: wallboard}]
`

// trusted is the issuer of tokens that the API server takes.
var trusted *issuer //nolint:gochecknoglobals // one control plane serves the tests of this package

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "page-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if trusted, err = newIssuer(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = trusted.Shutdown() }()
	program, err := filepath.Abs(filepath.Join("..", "..", "..", "bin", "kubectl-firebreak"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return fixture.Main(m, stage.Options{Images: map[string]string{pageImage: program}, APIServerArgs: []string{
		"--oidc-issuer-url=" + trusted.Issuer(), "--oidc-client-id=" + trusted.ClientID, "--oidc-ca-file=" + trusted.authority,
		"--oidc-username-claim=preferred_username", "--oidc-username-prefix=-", "--oidc-groups-claim=groups",
	}}, &the, func(ctx context.Context, s *stage.Stage) error { return s.Apply(ctx, more) })
}

// address is where a page can be opened.
var address = regexp.MustCompile(`http://\S+/`)

// serve runs kubectl firebreak ui as somebody, and returns its address.
func serve(t *testing.T, who string) string {
	t.Helper()
	line := start(t, the.UserConfig(who), "--zone", "Europe/Berlin")
	at := address.FindString(line)
	if at == "" {
		t.Fatalf("no address in %q", line)
	}
	return at
}

// start runs kubectl firebreak ui until the test ends, and returns the first line that it prints.
func start(t *testing.T, cfg *rest.Config, args ...string) string {
	t.Helper()
	kubeconfig, err := the.Kubeconfig(cfg, "payments")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(the.Root, "bin", "kubectl-firebreak"), append([]string{"ui"}, args...)...)
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
	if err != nil {
		t.Fatalf("%v: %q", err, line)
	}
	return line
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
