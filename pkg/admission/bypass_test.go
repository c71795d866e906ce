package admission_test

import (
	"errors"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

func pod(image string) string {
	return `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"fix","namespace":"payments","uid":"pod-1","creationTimestamp":"2026-11-28T02:30:00Z"},` +
		`"spec":{"containers":[{"name":"main","image":"` + image + `","command":["psql","-h","orders.prod.db.example.com"]}]}}`
}

func podReview(op admissionv1.Operation, object, old string) ctrladmission.Request {
	r := review("sam", "sre", "payments", op, object)
	r.UserInfo.UID, r.Name = "sam-1", "fix"
	r.Kind, r.Resource = metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}, metav1.GroupVersionResource{Version: "v1", Resource: "pods"}
	if old != "" {
		r.OldObject = runtime.RawExtension{Raw: []byte(old)}
	}
	return r
}

// A Pod that was admitted once runs no other image in the same execution: not under a window that pins nothing, and not under an emergency, of
// which the record is all that there is.
func TestBypassAnotherImageInTheSameExecution(t *testing.T) {
	for _, kind := range []v1alpha1.WindowType{v1alpha1.WindowNormal, v1alpha1.WindowEmergency} {
		w := window("w")
		w.Spec.Type, w.Spec.Plan = kind, nil
		w.Spec.Scope.Resources = []v1alpha1.ScopedResource{{Kind: "Pod", Names: []v1alpha1.Glob{"fix"}}}
		if kind == v1alpha1.WindowEmergency {
			w.Spec.MaxExecutions = nil
			w.Spec.Scope.Operations = append(w.Spec.Scope.Operations, v1alpha1.OperationUpdate)
		}
		x := newTrial(t, w, approval(w))
		if r := x.Handle(t.Context(), podReview(admissionv1.Create, pod("postgres:17"), "")); !r.Allowed {
			t.Fatalf("%s: %+v", kind, r.Result)
		}
		r := x.Handle(t.Context(), podReview(admissionv1.Update, pod("evil:1"), pod("postgres:17")))
		if records := len(x.executions()); r.Allowed && records != 2 || r.Allowed != (kind == v1alpha1.WindowEmergency) {
			t.Errorf("%s: admitted: %t, with %d executions", kind, r.Allowed, records)
		}
	}
}

// A Job that runs and is suspended does not run anew in the same execution.
func TestBypassResumedAgainAndAgain(t *testing.T) {
	w := window("w")
	x := newTrial(t, w, approval(w))
	if r := x.Handle(t.Context(), reindex()); !r.Allowed {
		t.Fatalf("%+v", r.Result)
	}
	ran := strings.Replace(reindexJob, `"metadata":{`, `"metadata":{"generation":2,`, 1)
	held := strings.Replace(ran, `"spec":{"template"`, `"spec":{"suspend":true,"template"`, 1)
	r := reindex()
	r.Operation, r.Object.Raw, r.OldObject.Raw = admissionv1.Update, []byte(ran), []byte(held)
	if resp := x.Handle(t.Context(), r); resp.Allowed {
		t.Errorf("it runs again; executions: %v", x.executions())
	}
}

// What cannot be recorded is refused, whatever keeps it out of the record: a quota is somebody's to set.
func TestBypassAQuotaOnTheRecord(t *testing.T) {
	for name, tc := range map[string]struct {
		err     error
		allowed bool
	}{
		"a quota":        {apierrors.NewForbidden(schema.GroupResource{Group: "firebreak.dev", Resource: "changerecords"}, "r", errors.New("exceeded quota: q")), false},
		"an outage":      {errDown, false},
		"an older chart": {apierrors.NewForbidden(schema.GroupResource{Group: "firebreak.dev", Resource: "changerecords"}, "r", errors.New(`User "firebreak" cannot create resource "changerecords" in API group "firebreak.dev"`)), true},
	} {
		x := newTrial(t)
		x.api.meanwhile = func(call string) error {
			if strings.HasPrefix(call, "create ChangeRecord ") {
				return tc.err
			}
			return nil
		}
		r := review("sam", "sre", "", admissionv1.Create, `{"apiVersion":"firebreak.dev/v1alpha1","kind":"ChangeFreeze","metadata":{"name":"stop","uid":"f-1","creationTimestamp":"2026-11-28T02:30:00Z"},"spec":{"environments":["production"],"reason":"x","level":"Changes","liftedBy":"Anyone"}}`)
		r.Operation, r.Name, r.UserInfo.UID = admissionv1.Delete, "stop", "sam-1"
		r.OldObject, r.Object.Raw = r.Object, nil
		r.Kind, r.Resource = metav1.GroupVersionKind{Group: "firebreak.dev", Version: "v1alpha1", Kind: "ChangeFreeze"}, metav1.GroupVersionResource{Group: "firebreak.dev", Version: "v1alpha1", Resource: "changefreezes"}
		if resp := x.Handle(t.Context(), r); resp.Allowed != tc.allowed {
			t.Errorf("%s: the freeze is lifted: %t: %+v", name, resp.Allowed, resp.Result)
		}
	}
}

// A window that nobody has approved stops nobody else.
func TestBypassAnOddExtension(t *testing.T) {
	w, bad := window("w"), window("bad")
	bad.Spec.Extends = &v1alpha1.LocalReference{Name: "x", UID: "not a label value!"}
	x := newTrial(t, w, approval(w), bad)
	if r := x.Handle(t.Context(), reindex()); !r.Allowed {
		t.Errorf("%+v", r.Result)
	}
}
