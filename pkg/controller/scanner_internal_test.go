package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const scanned = `
{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: production}, spec: {tier: Production, namespaces: {names: [payments]}, enforcement: {rules: {}}}}
---
{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: development}, spec: {tier: NonProduction, namespaces: {names: [dev]}}}
---
{apiVersion: firebreak.dev/v1alpha1, kind: DataStore, metadata: {name: orders}, spec: {environment: production, hosts: [orders.prod.db.example.com]}}
---
{apiVersion: firebreak.dev/v1alpha1, kind: Exemption, metadata: {name: x}, spec: {rules: [DataStoreAcrossTiers], subjects: {users: ["*"]}, objects: {kind: ConfigMap, namespaces: [dev], names: [exempt]}, reason: r, expiresAt: "2027-01-01T00:00:00Z"}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: dev}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: crosses, namespace: dev}, data: {db: orders.prod.db.example.com}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: exempt, namespace: dev}, data: {db: orders.prod.db.example.com}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: harmless, namespace: dev}, data: {db: orders.dev.db.example.com}}
---
{apiVersion: v1, kind: Pod, metadata: {name: owned, namespace: dev, ownerReferences: [{apiVersion: batch/v1, kind: Job, name: j, uid: u, controller: true}]}, spec: {containers: [{name: m, image: x, args: [orders.prod.db.example.com]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: of-another-kind, namespace: dev, ownerReferences: [{apiVersion: argoproj.io/v1alpha1, kind: Workflow, name: w, uid: u, controller: true}]}, spec: {containers: [{name: m, image: x, args: [orders.prod.db.example.com]}]}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: firebreak-reports, uid: role-1}}
`

func scanner(t *testing.T, docs string) (*stage, *Scanner) {
	t.Helper()
	s := newStage(t, docs)
	s.synced()
	return s, NewScanner(s.memory, s.client, s.client, "firebreak-reports", time.Hour, prometheus.NewRegistry(), s.log())
}

// reported returns what the report of namespace dev says, and its summary.
func reported(t *testing.T, s *stage) string {
	t.Helper()
	var r openreports.Report
	if err := s.client.Get(t.Context(), client.ObjectKey{Namespace: "dev", Name: "firebreak"}, &r); apierrors.IsNotFound(err) {
		return "no report"
	} else if err != nil {
		t.Fatal(err)
	}
	out := []string{fmt.Sprintf("%d fail, %d warn, %d skip, %d error", r.Summary.Fail, r.Summary.Warn, r.Summary.Skip, r.Summary.Error)}
	for _, x := range r.Results {
		out = append(out, fmt.Sprintf("%s %s %s", x.Result, x.Subjects[0].Kind, x.Subjects[0].Name))
	}
	return strings.Join(out, "; ")
}

func TestScan(t *testing.T) {
	s, sc := scanner(t, scanned)
	pass := func() {
		t.Helper()
		f, err := sc.scan(t.Context())
		if err == nil {
			err = sc.write(t.Context(), f)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	pass()
	if got, want := reported(t, s), "2 fail, 0 warn, 1 skip, 0 error; fail ConfigMap crosses; skip ConfigMap exempt; fail Pod of-another-kind"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	pass() // an update of what is there
	for name, kind := range map[string]string{"crosses": "ConfigMap", "exempt": "ConfigMap", "of-another-kind": "Pod"} {
		o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": name, "namespace": "dev"}}}
		if err := s.client.Delete(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	pass()
	if got := reported(t, s); got != "no report" {
		t.Errorf("nothing crosses any more, and it says %q", got)
	}
}

// jobless is a client that cannot list Jobs.
type jobless struct{ client.Client }

func (c jobless) List(ctx context.Context, l client.ObjectList, o ...client.ListOption) error {
	if l.GetObjectKind().GroupVersionKind().Kind == "JobList" {
		return errBroken
	}
	return c.Client.List(ctx, l, o...)
}

// A scan that cannot read everything ends with an error, and nothing is written: an empty report would say that all is well.
func TestAScanThatFails(t *testing.T) {
	s, sc := scanner(t, scanned)
	sc.client = jobless{s.client}
	if f, err := sc.scan(t.Context()); !errors.Is(err, errBroken) || f != nil || err.Error() != "list Job: "+errBroken.Error() {
		t.Errorf("%+v, %v", f, err)
	}
}

// A namespace with very many findings has a report that the API server can store; its summary counts all.
func TestAReportIsBounded(t *testing.T) {
	f := &findings{results: map[string][]openreports.ReportResult{}, summary: map[string]*openreports.ReportSummary{}}
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "c", "namespace": "dev"}}}
	for range mostResults + 100 {
		f.add(u, openreports.ReportResult{Result: "fail"}, time.Now())
	}
	if n := len(f.results["dev"]); n != mostResults || f.total().Fail != mostResults+100 || slices.ContainsFunc(f.results["dev"], func(r openreports.ReportResult) bool { return r.Source != "firebreak" }) {
		t.Errorf("%d results, %d counted", n, f.total().Fail)
	}
}
