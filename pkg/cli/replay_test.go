package cli_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/cli"
)

// line is one event of an audit log.
func line(at, user, groups, verb, ref string, object, answer string) string {
	out := fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","stage":"ResponseComplete","verb":%q,"user":{"username":%q,"groups":[%s]},"objectRef":%s,"requestReceivedTimestamp":%q`, verb, user, groups, ref, at)
	if object != "" {
		out += `,"requestObject":` + object
	}
	return out + `,"responseStatus":{"code":200}` + answer + "}\n"
}

// replayed writes an estate and an audit log, and returns their paths and the log's text.
func replayed(t *testing.T) (estate, log, text string) {
	t.Helper()
	const (
		devJob  = `{"resource":"jobs","apiGroup":"batch","apiVersion":"v1","namespace":"dev","name":"a"}`
		prodCM  = `{"resource":"configmaps","apiVersion":"v1","namespace":"payments","name":"c"}`
		newNS   = `{"resource":"namespaces","apiVersion":"v1","name":"fresh"}`
		inFresh = `{"resource":"configmaps","apiVersion":"v1","namespace":"fresh","name":"c"}`
		job     = `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"a","namespace":"dev"},"spec":{"template":{"spec":{"containers":[{"name":"m","image":"x","args":["--host=orders.prod.db.example.com"]}]}}}}`
		cm      = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","namespace":"payments"},"data":{"a":"b"}}`
	)
	ns := func(env string) string {
		return `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"fresh","labels":{"kubernetes.io/metadata.name":"fresh","env":"` + env + `"}}}`
	}
	estate = filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(estate, []byte(`
environments:
  production: {tier: Production, namespaces: {names: [payments], selector: {matchLabels: {env: prod}}}, identities: {groups: [sre]}}
  development: {tier: NonProduction, namespaces: {names: [dev]}}
dataStores:
  orders: {environment: production, hosts: [orders.prod.db.example.com]}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	log = filepath.Join(t.TempDir(), "audit.log")
	text = line("2026-11-20T10:00:00.000000Z", "dana", `"developers","system:authenticated"`, "create", devJob, job, `,"responseObject":`+job) +
		line("2026-11-20T10:00:01.000000Z", "dana", `"developers"`, "create", devJob, job, `,"responseObject":`+job) +
		line("2026-11-20T10:00:02.000000Z", "sam", `"sre"`, "create", prodCM, cm, `,"responseObject":`+cm) +
		line("2026-11-20T10:00:03.000000Z", "system:serviceaccount:ci:runner", `"system:serviceaccounts"`, "patch", prodCM, "", "") + // level Metadata
		line("2026-11-20T10:00:04.000000Z", "ray", `"sre"`, "create", newNS, ns("prod"), `,"responseObject":`+ns("prod")) +
		line("2026-11-20T10:00:05.000000Z", "dana", `"developers"`, "create", inFresh, strings.ReplaceAll(cm, "payments", "fresh"), "") + // the log itself says whose that namespace is
		line("2026-11-20T10:00:06.000000Z", "dana", `"developers"`, "deletecollection", devJob, "", "") +
		line("2026-11-20T10:00:07.000000Z", "dana", `"developers"`, "get", devJob, "", "") +
		"junk\n"
	if err := os.WriteFile(log, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return estate, log, text
}

func TestReplay(t *testing.T) {
	estate, log, _ := replayed(t)
	decisions := filepath.Join(t.TempDir(), "decisions")
	out, code := run(t, "", "replay", "--with", estate, "--decisions", decisions, log)
	for _, want := range []string{
		"From 2026-11-20 10:00:00 UTC to 2026-11-20 10:00:06 UTC.\n9 events, 7 of them writes; 6 were judged: 4 would be denied, 1 warned of, 1 admitted.\n",
		"1 were judged by who did what where, and not by what they hold, which the log does not say (level Metadata, or a patch that was refused).\n",
		"1 could not be judged: it deletes a collection, and the log does not say of which objects.\n",
		"1 lines are not events of audit.k8s.io/v1; the first is " + log + ": line 9: invalid character 'j' looking for beginning of value.\n",
		"TEAM          FINDINGS THAT DENY\ndevelopers    2\nnamespace ci  1\nsre           1\n",
		`deny    1      dana                             dev        jobs.batch  DataStoreAcrossTiers        line 1: jobs.batch "a": names "orders.prod.db.example.com", data store "orders" of "production"; "dev" is in "development"`,
		"NOT LISTED, BUT WRITES INTO PRODUCTION",
		"system:serviceaccount:ci:runner         payments   1\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if code != 2 || t.Failed() {
		t.Errorf("exit %d, want 2 since a line cannot be read:\n%s", code, out)
	}
	raw, err := os.ReadFile(decisions)
	if err != nil {
		t.Fatal(err)
	}
	var last cli.ReplayDecision
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) != 6 || last.Line != 6 || last.Decision != "deny" || last.Namespace != "fresh" {
		t.Errorf("%v: %s", err, raw)
	}
}

func TestReplayFromAPipe(t *testing.T) {
	estate, _, text := replayed(t)
	out, code := run(t, strings.TrimSuffix(text, "junk\n"), "replay", "--with", estate, "-o", "json", "-")
	var r cli.ReplayReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 1 || r.Denied != 4 || r.Unreadable != 0 || len(r.Identities) == 0 {
		t.Errorf("exit %d, %v:\n%s", code, err, out)
	}
	if out, code := run(t, "", "replay", "--with", estate, "-"); code != 2 || !strings.Contains(out, "0 events, 0 of them writes; 0 were judged") {
		t.Errorf("exit %d, and nothing was judged:\n%s", code, out)
	}
	if out, code := run(t, "", "replay", "--with", estate, "nowhere.log"); code != 2 || !strings.Contains(out, "open the audit log: ") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}

// A session is told of when it begins, when it ends, or both; it is judged once. Logs that an API server has packed are read, too.
func TestReplayOfSessions(t *testing.T) {
	estate, _, _ := replayed(t)
	session := func(id, stage string) string {
		return fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":%q,"stage":%q,"verb":"create","requestURI":"/api/v1/namespaces/payments/pods/p/exec?command=sh","user":{"username":"sam","groups":["sre"]},`+
			`"objectRef":{"resource":"pods","subresource":"exec","apiVersion":"v1","namespace":"payments","name":"p"},"requestReceivedTimestamp":"2026-11-20T10:00:00.000000Z","responseStatus":{"code":101}}`+"\n", id, stage)
	}
	log := filepath.Join(t.TempDir(), "audit.log.gz")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(session("a", "ResponseStarted") + session("a", "ResponseComplete") + session("b", "ResponseComplete") + session("c", "ResponseStarted"))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := run(t, "", "replay", "--with", estate, log)
	if code != 1 || !strings.Contains(out, "4 events, 3 of them writes; 3 were judged: 3 would be denied, 0 warned of, 0 admitted.\n") || !strings.Contains(out, "InteractiveAccess") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	if err := os.WriteFile(log, []byte("not packed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := run(t, "", "replay", "--with", estate, log); code != 2 || !strings.Contains(out, "unpack the audit log "+log+": ") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}
