package seethrough

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
)

// What was there before a rule spoke is reported, in the namespace of what it is about, and goes when it is mended; and when the value is switched off.
func TestReports(t *testing.T) {
	kubectl(t, "create", "configmap", "crosses", "-n", "dev", "--from-literal=DB_HOST=later.prod.db.example.com")
	people := fixture.Everybody(t, the)
	kubectl(t, "apply", "-f", write(t, "{apiVersion: firebreak.dev/v1alpha1, kind: DataStore, metadata: {name: later}, spec: {environment: production, hosts: [later.prod.db.example.com]}}"))
	if err := fixture.ServeOpenReports(t.Context(), the); err != nil {
		t.Fatal(err)
	}
	chart := filepath.Join(the.Root, "charts", "firebreak")
	if out, err := the.Upgrade(t.Context(), chart, "--set", "reports.enabled=true", "--set", "reports.every=2s"); err != nil || strings.Contains(strings.ToLower(out), "warning") {
		t.Fatalf("%v: an upgrade warns, or fails: %s", err, out)
	}
	report := func() (*openreports.Report, error) {
		r := &openreports.Report{}
		return r, people.Admin.Get(t.Context(), client.ObjectKey{Namespace: "dev", Name: "firebreak"}, r)
	}
	const want = `DataStoreAcrossTiers environment segregation fail high ConfigMap dev/crosses: data["DB_HOST"] names "later.prod.db.example.com", data store "later" of "production"; "dev" is in "development"`
	await.NoError(t, "it is reported", func() error {
		r, err := report()
		if err != nil {
			return err
		}
		var got []string
		for _, x := range r.Results {
			line := fmt.Sprintf("%s %s %s %s %s %s/%s: %s", x.Policy, x.Category, x.Result, x.Severity, x.Subjects[0].Kind, x.Subjects[0].Namespace, x.Subjects[0].Name, x.Description)
			if line == want && r.Source == "firebreak" && r.Summary.Fail >= 1 {
				return nil
			}
			got = append(got, line)
		}
		return fmt.Errorf("%s", strings.Join(got, "\n"))
	})
	out := kubectl(t, "get", "reports.openreports.io", "-n", "dev")
	contains(t, out, "FAIL")
	if text, err := the.Metrics(t.Context()); err != nil || !strings.Contains(text, `firebreak_scan_results{result="fail"}`) {
		t.Errorf("%v: the metrics do not tell of it", err)
	}
	kubectl(t, "delete", "configmap", "crosses", "-n", "dev")
	await.True(t, "what is mended is no longer reported", func() bool {
		r, err := report()
		return err != nil || !strings.Contains(fmt.Sprint(r.Results), "crosses")
	})
	if out, err := the.Upgrade(t.Context(), chart, "--set", "reports.enabled=false"); err != nil {
		t.Fatal(err, out)
	}
	await.True(t, "the reports go with the value", func() bool {
		var l openreports.ReportList
		return people.Admin.List(t.Context(), &l) == nil && len(l.Items) == 0
	})
}
