package admission_test

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// The content of a ConfigMap is read after the windows and compared with the plan: the approved content runs. Other content
// does not, nor does any content where there was none.
func TestThePlanPinsWhatTheConfigMapSays(t *testing.T) {
	w, err := workload.Of(schema.GroupKind{Group: "batch", Kind: "Job"}, []byte(configuredByDigest()))
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]map[string][]byte{"payments/settings": {"level": []byte("debug")}}
	pinnedGood := change.PlanOf(w, (&change.State{ConfigMaps: good}).Contents("payments"))
	pinnedEmpty := change.PlanOf(w, (&change.State{}).Contents("payments"))
	for name, tc := range map[string]struct {
		plan *change.Plan
		cm   string
		want bool
	}{
		"approved content":        {pinnedGood, "debug", true},
		"other content":           {pinnedGood, "evil", false},
		"pinned absent, now evil": {pinnedEmpty, "evil", false},
	} {
		t.Run(name, func(t *testing.T) {
			win := planned()
			win.Spec.Plan.Workloads[0].Digest = tc.plan.Digest
			win.Spec.Plan.Workloads[0].Fields = tc.plan.Fields
			x := newTrial(t, win, approval(win), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "settings"}, Data: map[string]string{"level": tc.cm}})
			r := review("sam", "sre", "payments", admissionv1.Create, configuredByDigest())
			r.UserInfo.UID = "sam-1"
			resp := x.Handle(t.Context(), r)
			if resp.Allowed != tc.want {
				t.Errorf("admitted: %t, want %t: %+v", resp.Allowed, tc.want, resp.Result)
			}
		})
	}
}

func configuredByDigest() string {
	return strings.Replace(configured(), "postgres:17", "postgres@sha256:"+strings.Repeat("a", 64), 1)
}
