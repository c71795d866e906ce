package change_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// landed reads what the version before wrote.
func landed(t *testing.T) *change.State {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "window-of-the-version-before.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	docs := bytes.Split(raw, []byte("\n---\n"))
	if len(docs) != 3 {
		t.Fatalf("%d objects", len(docs))
	}
	s := &change.State{Windows: make([]v1alpha1.ChangeWindow, 1), Approvals: make([]v1alpha1.ChangeApproval, 1), Executions: make([]v1alpha1.ChangeExecution, 1)}
	for i, into := range []any{&s.Windows[0], &s.Approvals[0], &s.Executions[0]} {
		if err := yaml.UnmarshalStrict(docs[i], into); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// Windows, approvals and executions that exist still mean what they did: a window that says no counts for its entries is limited as a whole.
func TestWhatLandedBeforeStillWorks(t *testing.T) {
	const job = `
apiVersion: batch/v1
kind: Job
metadata: {name: reindex-orders, namespace: payments}
spec:
  backoffLimit: 0
  activeDeadlineSeconds: 600
  template:
    spec:
      restartPolicy: Never
      nodeSelector: {pool: batch}
      containers: [{name: c, image: "postgres@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", command: [psql, -h, orders.prod.db.example.com], args: ["--password", "hunter2"], env: [{name: PGPASSWORD, value: hunter2}]}]
`
	s := landed(t)
	w := &s.Windows[0]
	if got := change.WindowDigest(&w.Spec); got != s.Approvals[0].Spec.Digest {
		t.Errorf("the digest of the window is %s, and %s was approved", got, s.Approvals[0].Spec.Digest)
	}
	if !change.ConsistentPlan(&w.Spec.Plan.Workloads[0]) {
		t.Error("the digest of the plan is not that of its fields")
	}
	q := question()
	q.Plan = change.PlanOf(work(t, job), nil)
	v := change.Judge(w, q, s)
	if v.Stage != change.Covers || v.Slots.Prefix != "" || v.Slots.Max != 2 || len(v.Slots.Taken) != 1 {
		t.Fatalf("the second run is judged %d %q, with %+v", v.Stage, v.Why, v.Slots)
	}
	again := *q
	again.Key = "job-0"
	if v := change.Judge(w, &again, s); v.Stage != change.Covers || v.Slots.Held != "0" {
		t.Errorf("a repeat of the first run is judged %d %q, with %+v", v.Stage, v.Why, v.Slots)
	}
	second := *s.Executions[0].DeepCopy()
	second.Name, second.Spec.Slot, second.Spec.Key = "rebuild-1-0-1", "1", "job-1"
	s.Executions = append(s.Executions, second)
	q.Key = "job-2"
	if v := change.Judge(w, q, s); v.Stage != change.Exhausted || v.Why != "it has been used 2 times, of the 2 that it allows" {
		t.Errorf("a third run is judged %d %q", v.Stage, v.Why)
	}
	if got := change.Summarise(w, *q, s); got.Phase != v1alpha1.WindowExhausted {
		t.Errorf("it is %s", got.Phase)
	}
}
