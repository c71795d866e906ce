package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const reaching = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: reindex, namespace: dev}\n" +
	"spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: x, args: [--host=orders.prod.db.example.com]}]}}}\n"

// The estate of a fleet may be in values files: check reads it from them, and from what the chart renders.
func TestCheckReadsWhatValuesDeclare(t *testing.T) {
	profile := filepath.Join("profiles", "standard.yaml")
	write := func(text string) string {
		t.Helper()
		file := filepath.Join(t.TempDir(), "values.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	const stores = "dataStores: {orders: {environment: production, hosts: [orders.prod.db.example.com]}}\n"
	const rendered = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: firebreak-estate, namespace: firebreak-system}\ndata:\n  estate.yaml: |\n" +
		"    environments: {production: {tier: Production}, development: {tier: NonProduction, namespaces: {names: [dev]}}}\n    " + stores
	for name, tc := range map[string]struct {
		reason string
		with   []string
		code   int
		want   string
	}{
		"a profile and one's own":   {"files are merged as Helm does", []string{profile, write(stores)}, 1, `data store "orders" of "production"; "dev" is in "development"`},
		"an environment taken out":  {"null takes it out", []string{profile, write(stores + "environments: {development: null}")}, 1, `; "dev" is in no environment`},
		"what the chart renders":    {"the ConfigMap is the estate", []string{write(rendered)}, 1, `data store "orders" of "production"`},
		"what declares nothing":     {"then nothing is denied, and that is said", []string{write("apiVersion: v1\nkind: Namespace\nmetadata: {name: dev}\n")}, 0, "Warning: --with names no Environment, so there is no production, and nothing that could be denied"},
		"what is neither":           {"it could be anything", []string{write("replicas: 3\n")}, 2, "it has no apiVersion and kind; give manifests, or values of the chart that declare environments"},
		"a rendered one malformed":  {"an estate that is read in part would admit what the whole denies", []string{write(strings.Replace(rendered, "environments:", "environmets:", 1))}, 2, `unknown field "environmets"`},
		"values that declare wrong": {"the same", []string{write("environments: [production]\n")}, 2, "read the declared estate"},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"check", "-f", "-"}
			for _, w := range tc.with {
				args = append(args, "--with", w)
			}
			if out, code := run(t, reaching, args...); code != tc.code || !strings.Contains(out, tc.want) {
				t.Errorf("%s: exit %d, want %d: %s\nwant in it %q", tc.reason, code, tc.code, out, tc.want)
			}
		})
	}
}

func TestRequestRefusesWhatWouldNeverMatch(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"an operation in small letters": {[]string{"--operation", "update"}, "--operation update: there are [Create Update Delete Scale Exec Attach PortForward Proxy Debug]"},
		"a digest of two":               {[]string{"--digest", "v1:sha256:0", "--resource", "Environment.firebreak.dev/b"}, "--digest is for exactly one --resource"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"request", "--resource", "Environment.firebreak.dev/a", "-n", "fb", "--environment", "production", "--start", "now", "--reason", "x", "--print", "-s", "http://127.0.0.1:1"}, tc.args...)
			if out, code := run(t, "", args...); code != 2 || !strings.Contains(out, tc.want) {
				t.Errorf("exit %d: %s, want %q", code, out, tc.want)
			}
		})
	}
}
