package subresources

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// sentinel is in every place that can hold a password.
const sentinel = "s3ntinel-of-a-password"

// TestNoPasswordLeavesTheProcess shows that a value of a Secret, and the text beside a host in a connection string, are in no
// answer, log line, event, metric or report.
func TestNoPasswordLeavesTheProcess(t *testing.T) {
	dana := the.UserConfig(stage.Developer)
	var said strings.Builder
	var files []string
	for i, body := range []string{
		"{apiVersion: v1, kind: Secret, metadata: {name: leak}, stringData: {dsn: 'postgres://u:" + sentinel + "@" + host + "/o', host: " + sentinel + "." + host + ", only: " + sentinel + "}}",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: leak}, data: {dsn: 'postgres://u:" + sentinel + "@" + host + "/o', props: \"db.host=" + host + "\\ndb.password=" + sentinel + "\"}}",
		"{apiVersion: v1, kind: Pod, metadata: {name: leak}, spec: {containers: [{name: a, image: a, command: [sh, -c, 'PGPASSWORD=" + sentinel + " psql -h " + host + "'], env: [{name: A, value: 'u:" + sentinel + "@tcp(" + host + ":3306)/o'}]}]}}",
	} {
		kind := []string{"secrets", "configmaps", "pods"}[i]
		err := send(t, dana, way{verb: "POST", path: inDev("v1", kind), body: body})
		if err == nil || !strings.Contains(err.Error(), "firebreak.dev") {
			t.Errorf("%s: admitted, or refused by somebody else: %v", kind, err)
		}
		fmt.Fprintf(&said, "answer to %s: %v\n", kind, err)
		file := filepath.Join(t.TempDir(), kind+".yaml")
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	fmt.Fprintf(&said, "logs: %s\n", the.Pods.Logs())
	events, err := the.Kubectl(t.Context(), the.AdminConfig(), "get", "events", "-A", "-o", "yaml")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&said, "events: %s\n", events)
	for _, p := range the.Pods.Pods() {
		fmt.Fprintf(&said, "metrics of %s: %s\n", p.Name, get(t, "http://"+p.IP+":8080/metrics"))
	}
	estate := filepath.Join(t.TempDir(), "estate.yaml")
	if err := os.WriteFile(estate, []byte(estateManifest), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"text", "json"} {
		for _, file := range files {
			report, err := check(t, "-f", file, "--with", estate, "-n", "dev", "-o", format)
			if err == nil {
				t.Errorf("check admits %s:\n%s", file, report)
			}
			fmt.Fprintf(&said, "report: %s\n", report)
		}
	}
	for line := range strings.Lines(said.String()) {
		if strings.Contains(line, sentinel) {
			t.Errorf("a password is told: %s", line)
		}
	}
	if !strings.Contains(said.String(), "firebreak_") || !strings.Contains(said.String(), "DataStoreAcrossTiers") {
		t.Error("the outputs are not the ones that should be looked at")
	}
}

func check(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(the.Root, "bin", "kubectl-firebreak"), append([]string{"check"}, args...)...).CombinedOutput()
	return string(out), err
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
