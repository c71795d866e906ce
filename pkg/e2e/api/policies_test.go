package api

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
)

// A policy whose expressions do not fit the kinds that it matches would fail on the day it is needed. A policy without a binding
// that denies does nothing.
func TestPoliciesAreInForce(t *testing.T) {
	c := as(t, admin)
	var bindings admissionregistrationv1.ValidatingAdmissionPolicyBindingList
	if err := c.List(t.Context(), &bindings); err != nil {
		t.Fatal(err)
	}
	var bound []string
	for _, b := range bindings.Items {
		if cmp.Equal(b.Spec.ValidationActions, []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}) &&
			b.Spec.MatchResources == nil && b.Spec.ParamRef == nil {
			bound = append(bound, b.Spec.PolicyName)
		}
	}
	var policies admissionregistrationv1.ValidatingAdmissionPolicyList
	await.True(t, "the API server checks the policies", func() bool {
		return c.List(t.Context(), &policies) == nil && !slices.ContainsFunc(policies.Items, unchecked)
	})
	var names []string
	for _, p := range policies.Items {
		names = append(names, p.Name)
		t.Run(p.Name, func(t *testing.T) {
			for _, w := range p.Status.TypeChecking.ExpressionWarnings {
				t.Errorf("%s: %s", w.FieldRef, w.Warning)
			}
			if p.Spec.FailurePolicy == nil || *p.Spec.FailurePolicy != admissionregistrationv1.Fail {
				t.Error("an error lets requests pass")
			}
			if !slices.Contains(bound, p.Name) {
				t.Error("no binding denies what it objects to")
			}
		})
	}
	want := []string{
		"firebreak-approval-owners", "firebreak-approver", "firebreak-declared-estate", "firebreak-delegation", "firebreak-delegation-end", "firebreak-emergency", "firebreak-executions", "firebreak-fence", "firebreak-own-account", "firebreak-owners",
		"firebreak-registrations", "firebreak-requested-by", "firebreak-status", "firebreak-window-place",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("the static policies (-want +installed):\n%s", diff)
	}
}

func unchecked(p admissionregistrationv1.ValidatingAdmissionPolicy) bool {
	return p.Status.TypeChecking == nil
}
