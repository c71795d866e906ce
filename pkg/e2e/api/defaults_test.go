package api

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// The defaults are written three times: as markers, as constants, and as what the code assumes for an Environment that omits them.
// All three must be equal.
func TestDefaultsOfChangeControl(t *testing.T) {
	o := create(t, sam, object(t, v1alpha1.KindEnvironment, edits{"spec.tier": "Production", "spec.changeControl": map[string]any{}}))
	got := fromUnstructured[v1alpha1.Environment](t, stored(t, o)).Spec.ChangeControl
	if diff := cmp.Diff(estate.ControlsOf(nil), estate.ControlsOf(got)); diff != "" {
		t.Errorf("an Environment that says nothing differs from one whose defaults the API server filled in (-nothing +filled in):\n%s", diff)
	}
	want := &v1alpha1.ChangeControl{
		Maintenance:              v1alpha1.MaintenanceDetect,
		RequiredApprovals:        of(v1alpha1.DefaultRequiredApprovals),
		ApprovalValidity:         lasting(v1alpha1.DefaultApprovalValidity),
		StandardApprovalValidity: lasting(v1alpha1.DefaultStandardApprovalValidity),
		ConfirmTarget:            of(true),
		RequirePlan:              of(true),
		MaxWindowDuration:        lasting(v1alpha1.DefaultMaxWindowDuration),
		EmergencyMaxDuration:     lasting(v1alpha1.DefaultEmergencyMaxDuration),
		ExecutionRetention:       lasting(v1alpha1.DefaultExecutionRetention),
		InteractiveAccess:        v1alpha1.InteractiveWindowRequired,
		ProtectedState: v1alpha1.ProtectedState{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelProtected: "true"}},
			Kinds:    []string{"Namespace", "PersistentVolumeClaim", "StatefulSet", "CustomResourceDefinition"},
		},
		BlastRadius: v1alpha1.BlastRadius{
			MaxScaleDownPercent: of[int32](50), MaxScaleUpFactor: of[int32](4), MaxScaleFromZero: of[int32](10),
			Autoscalers: v1alpha1.ActionWarn,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stored defaults of changeControl (-want +got):\n%s", diff)
	}
}

func of[T any](v T) *T { return &v }

func lasting(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

func TestDefaults(t *testing.T) {
	cases := map[string]struct {
		reason string
		kind   string
		edits  edits
		path   []string
		want   any
	}{
		"an environment without enforcement denies": {
			reason: "a first Environment of three lines must protect",
			kind:   v1alpha1.KindEnvironment, path: []string{"spec", "enforcement"},
			want: map[string]any{"default": "Deny", "selfHealing": "Warn", "unlistedAutomation": "Warn"},
		},
		"an environment that lowers one rule denies by the others": {
			reason: "defaults are those of each field", kind: v1alpha1.KindEnvironment,
			edits: edits{"spec.enforcement.rules": map[string]string{"PlacementAcrossTiers": "Warn"}},
			path:  []string{"spec", "enforcement"},
			want: map[string]any{
				"default": "Deny", "selfHealing": "Warn", "unlistedAutomation": "Warn", "rules": map[string]any{"PlacementAcrossTiers": "Warn"},
			},
		},
		"an environment whose enforcement is null denies": {
			reason: "null is no way around a default", kind: v1alpha1.KindEnvironment,
			edits: edits{"spec": map[string]any{"tier": "NonProduction", "enforcement": map[string]any{"default": nil}}},
			path:  []string{"spec", "enforcement", "default"}, want: "Deny",
		},
		"an environment outside Production gets no change control": {
			reason: "it may not have one", kind: v1alpha1.KindEnvironment, path: []string{"spec", "changeControl"}, want: nil,
		},
		"a Production environment without change control keeps none": {
			reason: "code takes the defaults for it", kind: v1alpha1.KindEnvironment, edits: edits{"spec.tier": "Production"},
			path: []string{"spec", "changeControl"}, want: nil,
		},
		"null approvals are one approval": {
			reason: "null is no way around a default", kind: v1alpha1.KindEnvironment,
			edits: edits{"spec": map[string]any{"tier": "Production", "changeControl": map[string]any{"requiredApprovals": nil}}},
			path:  []string{"spec", "changeControl", "requiredApprovals"}, want: int64(1),
		},
		"no approvals stay none": {
			reason: "0 is said, not omitted", kind: v1alpha1.KindEnvironment, edits: controlled("requiredApprovals", 0),
			path: []string{"spec", "changeControl", "requiredApprovals"}, want: int64(0),
		},
		"a plan that is not required stays so": {
			reason: "false is said, not omitted", kind: v1alpha1.KindEnvironment, edits: controlled("requirePlan", false),
			path: []string{"spec", "changeControl", "requirePlan"}, want: false,
		},
		"a window is Normal": {
			reason: "the others are asked for", kind: v1alpha1.KindChangeWindow, path: []string{"spec", "type"}, want: "Normal",
		},
		"a window lets runs finish": {
			reason: "as the design says", kind: v1alpha1.KindChangeWindow, path: []string{"spec", "overrun"}, want: "Finish",
		},
		"a window stores no number of executions": {
			reason: "its default depends on the type", kind: v1alpha1.KindChangeWindow, path: []string{"spec", "maxExecutions"}, want: nil,
		},
		"a freeze stops changes": {
			reason: "the red button is asked for", kind: v1alpha1.KindChangeFreeze, path: []string{"spec", "level"}, want: "Changes",
		},
		"a freeze is lifted by anyone": {
			reason: "as the design says", kind: v1alpha1.KindChangeFreeze, path: []string{"spec", "liftedBy"}, want: "Anyone",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := stored(t, create(t, sam, object(t, tc.kind, tc.edits)))
			got, _, err := unstructured.NestedFieldNoCopy(o.Object, tc.path...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: stored (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
