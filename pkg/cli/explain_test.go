package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pasted is what kubectl prints of a denial.
const pasted = `Error from server (Forbidden): error when creating "job.yaml": admission webhook "core.firebreak.dev" denied the request: jobs.batch "reindex" is forbidden: request a window: kubectl firebreak request -f MANIFEST -n payments; use a data store of "development" (ChangeWindowRequired: this is maintenance in "production": it runs psql; DataStoreAcrossTiers: args[1] names "orders.prod.db.example.com", data store "orders" of "production"; "dev" is in "development")`

const pastedSays = `It says: jobs.batch "reindex" is forbidden: request a window: kubectl firebreak request -f MANIFEST -n payments; use a data store of "development" (ChangeWindowRequired: this is maintenance in "production": it runs psql; DataStoreAcrossTiers: args[1] names "orders.prod.db.example.com", data store "orders" of "production"; "dev" is in "development")
Why:
  ChangeWindowRequired: Maintenance in production, and whatever else the environment says, needs an approved, open window.
    this is maintenance in "production": it runs psql
  DataStoreAcrossTiers: A workload uses the data stores of its own tier, or Shared ones.
    args[1] names "orders.prod.db.example.com", data store "orders" of "production"; "dev" is in "development"
Ways that would pass:
  - request a window: kubectl firebreak request -f MANIFEST -n payments
  - use a data store of "development"
With the manifest, kubectl firebreak explain -f MANIFEST says what it is judged by now, window by window.
`

func TestExplainADenial(t *testing.T) {
	for name, c := range map[string]struct {
		stdin string
		args  []string
		code  int
		want  string
	}{
		"as it was printed":   {"", []string{pasted}, 0, pastedSays},
		"in words":            {"", strings.Fields(pasted)[:0], 2, "give what to explain: the id of a denial, its text, KIND/NAME, or -f MANIFEST"},
		"through a pipe":      {pasted + "\n", []string{"-"}, 0, pastedSays},
		"what is no denial":   {"", []string{"No resources found"}, 2, `this is not a denial of Firebreak's: one says that something is forbidden, and ends with its id, such as [denial 3f9a2c1d]`},
		"two things at once":  {"", []string{"-f", "x.yaml", "3f9a2c1d"}, 2, "give -f, or a denial or an object, not both"},
		"a form there is not": {"", []string{"-o", "xml", pasted}, 2, `--output is text, json or yaml, not "xml"`},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := run(t, c.stdin, append([]string{"explain"}, c.args...)...)
			if out != c.want || code != c.code {
				t.Errorf("exit %d, want %d:\n%s\nwant\n%s", code, c.code, out, c.want)
			}
		})
	}
}

// An audit log resolves the id of a denial, also long after its Event is gone.
func TestExplainFromAnAuditLog(t *testing.T) {
	log := filepath.Join(t.TempDir(), "audit.log")
	line := func(at, message string) string {
		raw, err := json.Marshal(map[string]any{
			"kind": "Event", "apiVersion": "audit.k8s.io/v1", "stage": "ResponseComplete", "verb": "create", "user": map[string]any{"username": "dana"},
			"objectRef": map[string]any{"resource": "jobs", "namespace": "dev", "name": "reindex"}, "requestReceivedTimestamp": at,
			"responseStatus": map[string]any{"code": 403, "message": message},
		})
		if err != nil {
			t.Fatal(err)
		}
		return string(raw) + "\n"
	}
	const message = `admission webhook "core.firebreak.dev" denied the request: jobs.batch "reindex" is forbidden: use another (StorageAcrossTiers: it is theirs) [denial 0a1b2c3d]`
	if err := os.WriteFile(log, []byte("junk\n"+line("2026-11-28T02:30:00.000000Z", "other [denial ffffffff]")+line("2026-11-28T02:31:00.000000Z", message)+line("2026-11-28T02:32:00.000000Z", message)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := run(t, "", "explain", "--audit-log", log, "0a1b2c3d")
	want := "Denial 0a1b2c3d, from " + log + `, line 3.
What: jobs reindex in namespace "dev".
Who: dana.
When: 2 times, first at 2026-11-28 02:31:00 UTC, last at 2026-11-28 02:32:00 UTC.
It says: jobs.batch "reindex" is forbidden: use another (StorageAcrossTiers: it is theirs)
Why:
  StorageAcrossTiers: A volume belongs to the tier of the workload that mounts it.
    it is theirs
Ways that would pass:
  - use another
With the manifest, kubectl firebreak explain -f MANIFEST says what it is judged by now, window by window.
`
	if out != want || code != 0 {
		t.Errorf("exit %d:\n%s\nwant\n%s", code, out, want)
	}
}

const explainedWindows = `
apiVersion: firebreak.dev/v1alpha1
kind: ChangeWindow
metadata: {name: tonight, namespace: payments, uid: w-1}
spec:
  environment: production
  reason: reindex
  requestedBy: {username: bob}
  schedule: {start: "2026-11-28T02:00:00Z", end: "2026-11-28T04:00:00Z"}
  scope: {operations: [Create], resources: [{group: batch, kind: Job, names: [reindex]}]}
---
apiVersion: firebreak.dev/v1alpha1
kind: ChangeFreeze
metadata: {name: christmas}
spec: {environments: [production], reason: holidays, schedule: {start: "2026-12-20T00:00:00Z", end: "2027-01-02T00:00:00Z"}}
---
apiVersion: firebreak.dev/v1alpha1
kind: Exemption
metadata: {name: once}
spec: {rules: [ChangeWindowRequired], subjects: {users: [bob]}, objects: {group: batch, kind: Job, namespaces: [payments], names: [other]}, reason: r, expiresAt: "2026-12-01T00:00:00Z"}
`

func TestExplainAManifest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.yaml")
	if err := os.WriteFile(file, []byte(explainedWindows), 0o600); err != nil {
		t.Fatal(err)
	}
	job := `{apiVersion: batch/v1, kind: Job, metadata: {name: reindex, namespace: payments}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: m, image: x, command: [psql, --host, orders.prod.db.example.com]}]}}}}`
	out, code := run(t, job, "explain", "-f", "-", "--with", estate, "--with", file, "--as", "bob", "--as-group", "sre", "--at", "2026-11-28T02:30:00Z")
	for _, want := range []string{
		"Who: user \"bob\", a member of ",
		"Where: namespace \"payments\" is in \"production\".\n",
		"  spec.template.spec.containers[0].command[2] names \"orders.prod.db.example.com\", data store \"orders\" of \"production\"; stays within its tier\n",
		"It is maintenance: it names data store \"orders\", runs psql and is started by a person.\n",
		"Windows:\n  payments/tonight: no: it pins no plan, which the environment requires\n",
		"Freezes:\n  christmas: no: it does not hold at this time\n",
		"Exemptions:\n  once: no: it is for other objects\n",
		"Ways that would pass:\n  - request a window: kubectl firebreak request -f MANIFEST -n payments\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if code != 0 || t.Failed() {
		t.Errorf("exit %d:\n%s", code, out)
	}
	out, code = run(t, job, "explain", "-f", "-", "--with", estate, "--as", "bob", "--as-group", "sre", "-o", "json")
	var x struct {
		Explained []struct {
			Decision    string
			Explanation struct{ Maintenance string }
		}
	}
	if err := json.Unmarshal([]byte(out), &x); err != nil || code != 0 || len(x.Explained) != 1 || x.Explained[0].Decision != "deny" || x.Explained[0].Explanation.Maintenance == "" {
		t.Errorf("exit %d, %v:\n%s", code, err, out)
	}
	if out, code := run(t, "{apiVersion: batch/v1, kind: Job, metadata: {name: x, namespace: dev}, spec: 3}", "explain", "-f", "-", "--with", estate); code != 2 || !strings.Contains(out, "undecided") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}

// What somebody wrote into a comment, which a denial quotes, is not the denial's id.
func TestAnIDInAComment(t *testing.T) {
	const said = `jobs.batch "x" is forbidden: request a window (ChangeWindowRequired: this is maintenance; window "w" does not permit it, since it was rejected by kim ("see [denial deadbeef]")) [denial 0a1b2c3d]`
	log := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := run(t, "", "explain", "--audit-log", log, "--kubeconfig", filepath.Join(t.TempDir(), "none"), said)
	if !strings.Contains(out, "rejected by kim (\"see [denial deadbeef]\")\n") || strings.Contains(out, "Denial deadbeef") {
		t.Errorf("%s", out)
	}
}
