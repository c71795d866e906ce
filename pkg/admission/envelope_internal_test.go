package admission

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// The short form of an answer says what the long form does, and only an answer that says no more has it.
func TestPlainAnswers(t *testing.T) {
	for _, uid := range []string{"", "705ab4f5-6393-11e8-b7cc-42010a800002", `"quoted" \ and` + "\n", "ü", "\xff"} {
		var want, got admissionv1.AdmissionReview
		var long bytes.Buffer
		if err := json.NewEncoder(&long).Encode(admissionv1.AdmissionReview{
			TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
			Response: &admissionv1.AdmissionResponse{UID: types.UID(uid), Allowed: true, Result: &metav1.Status{Code: 200}},
		}); err != nil {
			t.Fatal(err)
		}
		for into, raw := range map[*admissionv1.AdmissionReview][]byte{&want: long.Bytes(), &got: admitted(uid)} {
			if err := json.Unmarshal(raw, into); err != nil {
				t.Fatalf("%s: %v", raw, err)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-long +short):\n%s", uid, diff)
		}
	}
	patch := admissionv1.PatchTypeJSONPatch
	for name, r := range map[string]admissionv1.AdmissionResponse{
		"denied": {}, "a result": {Allowed: true, Result: &metav1.Status{}}, "a patch": {Allowed: true, Patch: []byte("[]")}, "a type of patch": {Allowed: true, PatchType: &patch},
		"an annotation": {Allowed: true, AuditAnnotations: map[string]string{"a": "b"}}, "a warning": {Allowed: true, Warnings: []string{"w"}},
	} {
		if plain(&r) {
			t.Errorf("%s: it has the short form", name)
		}
	}
	if r := admission.Allowed(""); !plain(&admissionv1.AdmissionResponse{Allowed: true}) || plain(&r.AdmissionResponse) {
		t.Error("an answer that says no more has the long form, or one with a code has the short form")
	}
}
