package controller

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// A run that is gone has ended, though nothing has told of its end: what it was approved with is free again.
func TestTheEndOfRunsIsLookedFor(t *testing.T) {
	used := `state: "Used"`
	ended := lines(`finishedAt: "2026-11-28T02:30:00Z"`, `state: "Used"`)
	for name, tc := range map[string]struct {
		reason     string
		configMaps []string
		there      []client.Object
		now        string
		want       string
	}{
		"it is gone":            {"it was deleted", []string{"sql"}, nil, "02:30:00", ended},
		"another has its name":  {"it was deleted, too", []string{"sql"}, []client.Object{job("reindex", "job-2")}, "02:30:00", ended},
		"it is there":           {"it may run", []string{"sql"}, []client.Object{job("reindex", "job-1")}, "02:30:00", used},
		"it was approved alone": {"it locks nothing", nil, nil, "02:30:00", used},
		"a moment ago":          {"it may come yet", []string{"sql"}, nil, "02:11:00", used},
	} {
		t.Run(name, func(t *testing.T) {
			x := execution(window(nil), "x-1", func(x *v1alpha1.ChangeExecution) {
				x.Spec.ConfigMaps, x.Status.State = tc.configMaps, v1alpha1.ExecutionUsed
			})
			s := newStage(t, production, append([]client.Object{x}, tc.there...)...)
			s.now = at(tc.now)
			s.settler("02:00:00").sweep(t.Context())
			if diff := cmp.Diff(tc.want, s.status(v1alpha1.KindChangeExecution, own, "x-1")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
