package controller

import (
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// A refusal of the API server needs a person to correct something; a failure to answer does not.
func TestRefusals(t *testing.T) {
	gr := schema.GroupResource{Group: "firebreak.dev", Resource: "environments"}
	for name, tc := range map[string]struct {
		err     error
		refused bool
	}{
		"malformed":                 {apierrors.NewInvalid(schema.GroupKind{Kind: "Environment"}, "a", nil), true},
		"forbidden":                 {apierrors.NewForbidden(gr, "a", errors.New("no")), true},
		"a field that is none":      {apierrors.NewInternalError(errors.New("failed to create typed patch object (/a; firebreak.dev/v1alpha1, Kind=Environment): .spec.x: field not declared in schema")), true},
		"nobody answers yet":        {apierrors.NewInternalError(errors.New("failed calling webhook \"core.firebreak.dev\": connection refused")), false},
		"too many requests":         {apierrors.NewTooManyRequests("later", 1), false},
		"somebody else was quicker": {apierrors.NewConflict(gr, "a", errors.New("changed")), false},
		"no connection":             {errors.New("connection refused"), false},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := refusal(tc.err)
			if refused := o.message != ""; refused != tc.refused || refused == (err != nil) {
				t.Errorf("refused: %t, error: %v", refused, err)
			}
		})
	}
}

func pendingOf(list []metav1.Condition) string {
	for _, c := range list {
		if c.Type == v1alpha1.ConditionPendingApproval {
			return string(c.Status) + " " + c.Reason
		}
	}
	return ""
}

// A replica that has just begun to lead knows nothing yet, and removes no condition that the replica before it has set.
func TestConditionsOutliveTheLeader(t *testing.T) {
	list := []metav1.Condition{{Type: v1alpha1.ConditionPendingApproval, Status: metav1.ConditionTrue, Reason: reasonPending}}
	w := newPendingDeclarations(prometheus.NewRegistry())
	w.condition("Environment", "production", &list, 1)
	if got := pendingOf(list); got != "True PendingApproval" {
		t.Errorf("before it has looked: %q", got)
	}
	w.set(map[declaration]obstacle{{"Environment", "production"}: {reasonRefused, "no"}})
	w.condition("Environment", "production", &list, 1)
	if got := pendingOf(list); got != "False Refused" {
		t.Errorf("refused: %q", got)
	}
	w.set(map[declaration]obstacle{{"Environment", "production"}: {}})
	w.condition("Environment", "production", &list, 1)
	if got := pendingOf(list); got != "False Applied" {
		t.Errorf("applied: %q", got)
	}
	w.set(nil) // nothing is declared any longer
	w.condition("Environment", "production", &list, 1)
	if got := pendingOf(list); got != "" {
		t.Errorf("not declared: %q", got)
	}
	var none *PendingDeclarations
	none.condition("Environment", "production", &list, 1)
	if got := pendingOf(list); got != "" {
		t.Errorf("nothing is ever declared: %q", got)
	}
}

func TestMalformedDeclarations(t *testing.T) {
	for name, tc := range map[string]struct {
		data map[string]string
		want string
	}{
		"another key":         {map[string]string{"a": ""}, `ConfigMap "e" has no key "estate.yaml"`},
		"a word beside them":  {map[string]string{estate.DeclaredKey: "environmets: {}"}, `key "estate.yaml" of ConfigMap "e": read the declared estate: error unmarshaling JSON: while decoding JSON: json: unknown field "environmets"`},
		"no map":              {map[string]string{estate.DeclaredKey: "environments: [a]"}, ""},
		"one declared twice":  {map[string]string{estate.DeclaredKey: "environments: {a: {tier: Production}, a: {tier: Shared}}"}, ""},
		"what is no YAML yet": {map[string]string{estate.DeclaredKey: "environments: ["}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseDeclared(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "e"}, Data: tc.data})
			if err == nil || tc.want != "" && err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
	got, err := parseDeclared(&corev1.ConfigMap{Data: map[string]string{estate.DeclaredKey: "environments: {a: {tier: Production}, b: null}\ndataStores: {c: {environment: a}}"}})
	if err != nil || len(got) != 2 || got[0].GetKind() != "Environment" || got[1].GetName() != "c" {
		t.Errorf("%v: %v", got, err)
	}
}

// Anyone who may write an environment may set a label on it; an object that this server has applied shows that by its field
// manager.
func TestALabelDeclaresNothing(t *testing.T) {
	o := &unstructured.Unstructured{Object: map[string]any{}}
	o.SetLabels(map[string]string{v1alpha1.LabelDeclared: "true"})
	if declaredOnce(o) {
		t.Error("a label alone makes it declared")
	}
	o.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: declarer, Operation: metav1.ManagedFieldsOperationApply}})
	if !declaredOnce(o) {
		t.Error("what was applied is not known as declared")
	}
}
