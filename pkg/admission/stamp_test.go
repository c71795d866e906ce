package admission_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/firebreak-dev/firebreak/pkg/admission"
	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// The stamp names the requester, whole, and takes the place of any text that the requester wrote there.
func TestTheStampIsTheSenders(t *testing.T) {
	mine := v1alpha1.Stamp{Username: "sam", UID: "sam-1", Groups: []string{"sre", "system:authenticated"}}
	for name, tc := range map[string]struct{ kind, object, path string }{
		"a window":                         {v1alpha1.KindChangeWindow, `{"spec":{"reason":"r"}}`, "/spec/requestedBy"},
		"a freeze":                         {v1alpha1.KindChangeFreeze, `{"spec":{}}`, "/spec/requestedBy"},
		"an exemption":                     {v1alpha1.KindExemption, `{"spec":{}}`, "/spec/requestedBy"},
		"an approval":                      {v1alpha1.KindChangeApproval, `{"spec":{}}`, "/spec/approver"},
		"a window in somebody else's name": {v1alpha1.KindChangeWindow, `{"spec":{"requestedBy":{"username":"robin","uid":"robin-1","groups":["admins"]}}}`, "/spec/requestedBy"},
		"an approval in another's name":    {v1alpha1.KindChangeApproval, `{"spec":{"approver":{"username":"kim"},"requestedBy":{"username":"kim"}}}`, "/spec/approver"},
		"a stamp that is none":             {v1alpha1.KindChangeApproval, `{"spec":{"approver":7}}`, "/spec/approver"},
	} {
		t.Run(name, func(t *testing.T) {
			req := review("sam", "sre", "payments", admissionv1.Create, tc.object)
			req.UserInfo.UID, req.UserInfo.Groups = mine.UID, mine.Groups
			req.Kind.Kind = tc.kind
			resp := admission.Stamper{}.Handle(t.Context(), req)
			if !resp.Allowed {
				t.Fatalf("refused: %+v", resp.Result)
			}
			if diff := cmp.Diff([]jsonpatch.Operation{jsonpatch.NewOperation("add", tc.path, mine)}, resp.Patches); diff != "" {
				t.Errorf("the patches differ: %s", diff)
			}
			raw, err := json.Marshal(resp.Patches)
			if want := `"value":{"username":"sam","uid":"sam-1","groups":["sre","system:authenticated"]}`; err != nil || !strings.Contains(string(raw), want) {
				t.Errorf("%v: the patch is %s, want %s in it", err, raw, want)
			}
		})
	}
}

// Only a creation is stamped: later no other name may take the place of the first.
func TestWhatIsNotStamped(t *testing.T) {
	for name, tc := range map[string]struct {
		op          admissionv1.Operation
		subResource string
	}{
		"an update":           {admissionv1.Update, ""},
		"a deletion":          {admissionv1.Delete, ""},
		"a status":            {admissionv1.Update, "status"},
		"a created something": {admissionv1.Create, "status"},
	} {
		req := review("robin", "sre", "payments", tc.op, `{"spec":{"requestedBy":{"username":"sam"}}}`)
		req.Kind.Kind, req.SubResource = v1alpha1.KindChangeWindow, tc.subResource
		if resp := (admission.Stamper{}).Handle(t.Context(), req); !resp.Allowed || len(resp.Patches) != 0 {
			t.Errorf("%s: %+v", name, resp)
		}
	}
}

// An object that cannot be read cannot be stamped, and is refused.
func TestWhatCannotBeStamped(t *testing.T) {
	for _, object := range []string{`{"spec":7}`, `{`, ``} {
		req := review("sam", "sre", "payments", admissionv1.Create, object)
		req.Kind.Kind = v1alpha1.KindChangeWindow
		resp := admission.Stamper{}.Handle(t.Context(), req)
		if resp.Allowed || resp.Result.Code != http.StatusBadRequest || len(resp.Patches) != 0 ||
			!strings.HasPrefix(resp.Result.Message, "ChangeWindow is refused: Firebreak cannot read it (") || !strings.HasSuffix(resp.Result.Message, "); correct the manifest") {
			t.Errorf("%q: %+v", object, resp)
		}
	}
}
