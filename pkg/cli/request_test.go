package cli_test

import (
	"strings"
	"testing"
)

// The command reports what is wrong with a manifest, in any of its documents, before it asks a cluster anything.
func TestRequestReadsTheWholeManifestFirst(t *testing.T) {
	job := "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: c, image: x, envFrom: [{configMapRef: {name: s}}]}]}}}\n"
	for name, manifest := range map[string]string{"first": "a: [\n---\n" + job, "last": job + "---\na: [\n"} {
		t.Run(name, func(t *testing.T) {
			out, code := run(t, manifest, "request", "-f", "-", "--environment", "production", "--start", "now", "--reason", "test")
			if code != 2 || !strings.Contains(out, "it is not valid YAML") {
				t.Errorf("exit %d: %s", code, out)
			}
		})
	}
}

// The command asks for the target and for what the approver reads. If nobody can type, it names the flag.
func TestRequestAsks(t *testing.T) {
	for name, tc := range map[string]struct {
		typed, want string
		args        []string
	}{
		"nothing typed":           {"", "Environment in which this shall happen: nothing was typed; where nobody can type, use --environment", nil},
		"no reason":               {"production\n", "Reason, which the approver reads: nothing was typed; where nobody can type, use --reason", nil},
		"only the reason":         {"\n", "Reason, which the approver reads: nothing was typed; where nobody can type, use --reason", []string{"--environment", "production"}},
		"from a Windows terminal": {"production\r\n", "Reason, which the approver reads: nothing was typed; where nobody can type, use --reason", nil},
		"both are asked for":      {"production\nindex\n", "Environment in which this shall happen: Reason, which the approver reads: --resource is for what runs nothing new", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBECONFIG", "")
			t.Setenv("HOME", t.TempDir())
			out, code := run(t, tc.typed, append([]string{"request", "--resource", "Pod/web"}, tc.args...)...)
			if code == 0 || !strings.Contains(strings.ReplaceAll(out, "Error: ", ""), tc.want) {
				t.Errorf("exit %d, want %q: %s", code, tc.want, out)
			}
		})
	}
}

// If a manifest comes from standard input, nobody can type.
func TestRequestOfAPipeNamesTheFlag(t *testing.T) {
	job := "{apiVersion: batch/v1, kind: Job, metadata: {name: a}, spec: {template: {spec: {containers: [{name: c, image: x}]}}}}"
	if out, code := run(t, job, "request", "-f", "-"); code == 0 || !strings.HasSuffix(strings.TrimSpace(out), "nothing was typed; where nobody can type, use --environment") {
		t.Errorf("exit %d: %s", code, out)
	}
}
