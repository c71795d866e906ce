package admission_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// The UID of a controller's account is remembered, also its absence; a failure is not.
func TestControllersAreRemembered(t *testing.T) {
	there := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "job-controller", UID: "job-controller-1"}}
	for name, tc := range map[string]struct {
		reason, controller string
		fault              error
		want               map[string]string
	}{
		"an account that exists":       {"it is asked for once", "job-controller", nil, map[string]string{"job-controller": "job-controller-1"}},
		"an account that does not":     {"so is that it is not there", "deployment-controller", nil, map[string]string{"deployment-controller": ""}},
		"an account that nobody reads": {"it is asked for again", "job-controller", errDown, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTrial(t, there)
			x.api.meanwhile = func(string) error { return tc.fault }
			var f policy.Facts
			err := x.Live.Read(t.Context(), &policy.Missing{Controller: tc.controller}, guarded(), &f)
			if !errors.Is(err, tc.fault) {
				t.Errorf("%v, want %v", err, tc.fault)
			}
			if diff := cmp.Diff(tc.want, x.remember); diff != "" {
				t.Errorf("remembered: %s: %s", tc.reason, diff)
			}
			if diff := cmp.Diff([]string{"get ServiceAccount kube-system/" + tc.controller}, x.api.sorted()); diff != "" {
				t.Errorf("the calls differ: %s", diff)
			}
		})
	}
}

// Other missing facts go into the facts of the one request, and are not remembered.
func TestOtherFactsAreNotRemembered(t *testing.T) {
	ns := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "brand-new", Labels: map[string]string{"env": "production"}}}
	x := newTrial(t, ns)
	var f policy.Facts
	if err := x.Live.Read(t.Context(), &policy.Missing{Namespace: "brand-new"}, guarded(), &f); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(policy.Facts{NamespaceRead: true, NamespaceLabels: map[string]string{"env": "production"}}, f); diff != "" || len(x.remember) != 0 {
		t.Errorf("the facts differ: %s; remembered: %v", diff, x.remember)
	}
}
