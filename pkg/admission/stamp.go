package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Stamper writes the requester into objects of Firebreak's own kinds when they are created. It overwrites what the requester
// wrote there: that text is never trusted, and never refused.
type Stamper struct{}

var _ admission.Handler = Stamper{}

// Handle implements the raw handler of controller-runtime.
func (Stamper) Handle(_ context.Context, req admission.Request) admission.Response {
	field, ok := stampField(req.Kind.Kind)
	if !ok || req.Operation != admissionv1.Create || req.SubResource != "" {
		return admission.Allowed("")
	}
	var o struct {
		Spec map[string]any `json:"spec"`
	}
	if err := json.Unmarshal(req.Object.Raw, &o); err != nil {
		return failed(http.StatusBadRequest, fmt.Sprintf("%s is refused: Firebreak cannot read it (%v); correct the manifest", req.Kind.Kind, err), 0)
	}
	stamp := v1alpha1.Stamp{Username: req.UserInfo.Username, UID: req.UserInfo.UID, Groups: req.UserInfo.Groups}
	if o.Spec == nil {
		// Without a spec there is nothing to stamp; the schema refuses the object.
		return admission.Allowed("")
	}
	return admission.Patched("", jsonpatch.NewOperation("add", "/spec/"+field, stamp))
}

func stampField(kind string) (string, bool) {
	switch kind {
	case v1alpha1.KindChangeWindow, v1alpha1.KindChangeFreeze, v1alpha1.KindExemption:
		return "requestedBy", true
	case v1alpha1.KindChangeApproval:
		return "approver", true
	case v1alpha1.KindChangeDelegation:
		return "delegator", true
	}
	return "", false
}
