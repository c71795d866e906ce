package admission

import (
	"context"
	"net/http"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

func (h *Handler) answer(ctx context.Context, req *policy.Request, c *policy.PreparedRequest, a outcome) admission.Response {
	o := Outcome{Request: req, Decision: a.Decision}
	if owner := c.Owner(); owner != nil {
		o.Owner = &types.NamespacedName{Namespace: req.Namespace, Name: owner.Name}
		o.OwnerKind = schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind)
		o.OwnerUID = owner.UID
	}
	if a.reservation != nil {
		o.Execution = a.reservation.Name
	}
	resp := admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{
		Allowed:          a.Allowed,
		Warnings:         append(policy.WarningMessages(a.Warned()), a.Warnings...),
		AuditAnnotations: annotations(a, o.Execution),
	}}
	if !a.Allowed {
		resp.Result = refusal(req, a.Decision)
		if why := c.View().Degraded(); why != "" {
			resp.Result.Message += "; note: " + why
		}
		o.ID = marked(req, &resp)
		o.Message = resp.Result.Message
	}
	h.Metrics.findings(req.Namespace, a.Decision)
	if !a.Allowed || o.Execution != "" || len(a.Findings) > 0 {
		h.Recorder.Record(ctx, o)
	}
	return resp
}

// marked ends the message of a denial with its id, which it also gives the audit log and returns.
func marked(req *policy.Request, resp *admission.Response) string {
	id := policy.DenialID(req, resp.Result.Message)
	resp.Result.Message = policy.WithDenialID(resp.Result.Message, id)
	if resp.AuditAnnotations == nil {
		resp.AuditAnnotations = map[string]string{}
	}
	resp.AuditAnnotations["denial"] = id
	return id
}

// refusal returns the status of a denial: 422 for a malformed object of Firebreak's own kinds, 403 for every objection of a
// rule.
func refusal(req *policy.Request, d *policy.Decision) *metav1.Status {
	denied := d.Denied()
	if len(denied) == 0 && len(d.Invalid) > 0 && !onlyForbidden(d.Invalid) {
		s := apierrors.NewInvalid(req.Kind.GroupKind(), req.Name, d.Invalid).Status()
		return &s
	}
	s := &metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden,
		Details: &metav1.StatusDetails{
			Group: req.Resource.Group, Kind: req.Resource.Resource, Name: req.Name,
			Causes: append(policy.Causes(denied), invalidCauses(d.Invalid)...),
		},
	}
	var parts []string
	if len(denied) > 0 {
		parts = append(parts, policy.DenialMessage(*req, denied))
	}
	for _, e := range d.Invalid {
		parts = append(parts, e.Error())
	}
	s.Message = strings.Join(parts, "; ")
	if len(denied) == 0 {
		s.Message = policy.Describe(*req) + " is forbidden: " + s.Message
	}
	return s
}

func onlyForbidden(errs field.ErrorList) bool {
	return !slices.ContainsFunc(errs, func(e *field.Error) bool { return e.Type != field.ErrorTypeForbidden })
}

func invalidCauses(errs field.ErrorList) []metav1.StatusCause {
	var out []metav1.StatusCause
	for _, e := range errs {
		out = append(out, metav1.StatusCause{Type: metav1.CauseType(e.Type), Field: e.Field, Message: e.ErrorBody()})
	}
	return out
}

// annotations returns the annotations for the audit log. The API server puts the webhook's name before the keys.
func annotations(a outcome, execution string) map[string]string {
	out := map[string]string{}
	if len(a.Findings) > 0 {
		var rules []string
		for _, f := range a.Findings {
			rules = append(rules, string(f.Rule)+"="+string(f.Action))
		}
		out["findings"] = strings.Join(slices.Compact(rules), ",")
	}
	if a.Maintenance != "" {
		out["maintenance"] = a.Maintenance
	}
	if execution != "" {
		out["execution"] = execution
		out["window"] = a.Use.Verdict.Window.Namespace + "/" + a.Use.Verdict.Window.Name
	}
	return out
}

// failed returns the answer to a request that could not be judged. retry is in seconds; it is 0 if a retry does not help.
func failed(code int32, message string, retry int32) admission.Response {
	s := &metav1.Status{Status: metav1.StatusFailure, Code: code, Message: message, Reason: reason(code)}
	if retry > 0 {
		s.Details = &metav1.StatusDetails{RetryAfterSeconds: retry}
	}
	return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Allowed: false, Result: s}}
}

func reason(code int32) metav1.StatusReason {
	switch code {
	case http.StatusTooManyRequests:
		return metav1.StatusReasonTooManyRequests
	case http.StatusServiceUnavailable:
		return metav1.StatusReasonServiceUnavailable
	case http.StatusConflict:
		return metav1.StatusReasonAlreadyExists
	case http.StatusForbidden:
		return metav1.StatusReasonForbidden
	case http.StatusBadRequest:
		return metav1.StatusReasonBadRequest
	}
	return metav1.StatusReasonInternalError
}
