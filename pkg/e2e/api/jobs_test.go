package api

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// image is named by digest, as windows demand.
const image = "registry.example.com/tools/reindex@sha256:" + hexDigest

// jobManifest is a Job of a person in payments, which is maintenance.
func jobManifest(name string) string {
	return `
apiVersion: batch/v1
kind: Job
metadata: {name: ` + name + `, namespace: payments}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: reindex, image: "` + image + `", command: [reindex, --all]}]
`
}

func job(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	return toUnstructured(t, fromYAML(t, jobManifest(name)))
}

// runs returns the edits for a window that is open now and lets a Job run so many times.
func runs(t *testing.T, name string, times int) edits {
	t.Helper()
	raw, err := job(t, name).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	work, err := workload.Of(schema.GroupKind{Group: "batch", Kind: "Job"}, raw)
	if err != nil {
		t.Fatal(err)
	}
	pin := change.PlanOf(work, func(string) (map[string][]byte, bool) { return nil, false }).Digest
	return edits{
		"spec.schedule.start":   in(-time.Minute),
		"spec.scope.operations": []string{"Create"},
		"spec.scope.resources":  []map[string]any{{"group": "batch", "kind": "Job", "names": []string{name}}},
		"spec.maxExecutions":    times,
		"spec.plan":             map[string]any{"workloads": planned(edits{"names": []string{name}, "digest": pin})},
	}
}

// start runs a Job for real. A dry run that lacks only a window is admitted, so it would show nothing.
func start(t *testing.T, name string) {
	t.Helper()
	o := job(t, name)
	if err := as(t, sam).Create(t.Context(), o); err != nil {
		t.Fatalf("the run is refused under the approved window: %v", err)
	}
	removeLater(t, o)
}
