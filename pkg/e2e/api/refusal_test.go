package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// refusal is all that a client learns about a refused request.
type refusal struct {
	Code    int32
	Reason  metav1.StatusReason
	Message string
	Causes  []metav1.StatusCause
}

func refusalOf(t *testing.T, err error) refusal {
	t.Helper()
	if err == nil {
		t.Fatal("the request was admitted, and must be refused")
	}
	var status apierrors.APIStatus
	if !asStatus(err, &status) {
		t.Fatalf("the API server did not answer: %v", err)
	}
	s := status.Status()
	out := refusal{Code: s.Code, Reason: s.Reason, Message: policy.WithoutDenialID(s.Message)}
	if s.Details != nil {
		out.Causes = s.Details.Causes
	}
	return out
}

func asStatus(err error, status *apierrors.APIStatus) bool { return errors.As(err, status) }

// wantRefused compares the whole refusal.
func wantRefused(t *testing.T, err error, want refusal) {
	t.Helper()
	if diff := cmp.Diff(want, refusalOf(t, err)); diff != "" {
		t.Errorf("not refused as expected (-want +got):\n%s", diff)
	}
}

// wantInvalid compares a refusal with its causes, in any order. The message lists them in the order of the causes.
func wantInvalid(t *testing.T, err error, prefix, kind, name string, causes ...metav1.StatusCause) {
	t.Helper()
	got := refusalOf(t, err)
	want := refusal{Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid, Causes: slices.Clone(causes)}
	want.Message = fmt.Sprintf("%s%s.firebreak.dev %q is invalid: %s", prefix, kind, name, sentence(got.Causes))
	byText := func(a, b metav1.StatusCause) int {
		return strings.Compare(a.Field+" "+a.Message, b.Field+" "+b.Message)
	}
	slices.SortFunc(want.Causes, byText)
	slices.SortFunc(got.Causes, byText)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("not refused as expected (-want +got):\n%s", diff)
	}
}

func sentence(causes []metav1.StatusCause) string {
	parts := make([]string, len(causes))
	for i, c := range causes {
		parts[i] = c.Field + ": " + c.Message
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// invalid is an error in a field, as the causes report it.
func invalid(field, says string) metav1.StatusCause {
	return cause(metav1.CauseTypeFieldValueInvalid, field, "Invalid value: "+says)
}

func wrongType(field, says string) metav1.StatusCause {
	return cause(metav1.CauseTypeTypeInvalid, field, "Invalid value: "+says)
}

func required(field, says string) metav1.StatusCause {
	return cause(metav1.CauseTypeFieldValueRequired, field, strings.TrimSuffix("Required value: "+says, ": "))
}

func forbidden(field, says string) metav1.StatusCause {
	return cause(metav1.CauseTypeForbidden, field, "Forbidden: "+says)
}

func notFound(field, says string) metav1.StatusCause {
	return cause(metav1.CauseTypeFieldValueNotFound, field, "Not found: "+says)
}

func duplicate(field, says string) metav1.StatusCause {
	return cause(metav1.CauseTypeFieldValueDuplicate, field, "Duplicate value: "+says)
}

func unsupported(field, says string) metav1.StatusCause {
	return cause(metav1.CauseTypeFieldValueNotSupported, field, "Unsupported value: "+says)
}

func tooLong(field string, most int) metav1.StatusCause {
	return cause("FieldValueTooLong", field, fmt.Sprintf("Too long: may not be more than %d bytes", most))
}

func tooMany(field string, got, most int) metav1.StatusCause {
	return cause("FieldValueTooMany", field, fmt.Sprintf("Too many: %d: must have at most %d items", got, most))
}

func cause(kind metav1.CauseType, field, message string) metav1.StatusCause {
	return metav1.StatusCause{Type: kind, Field: field, Message: message}
}

// byPolicy returns a refusal by one of the static policies.
func byPolicy(resource, name, policy, says string) refusal {
	text := fmt.Sprintf("ValidatingAdmissionPolicy 'firebreak-%s' with binding 'firebreak-%s' denied request: %s", policy, policy, says)
	return refusal{
		Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden,
		Message: fmt.Sprintf("%s.firebreak.dev %q is forbidden: %s", resource, name, text),
		Causes:  []metav1.StatusCause{{Message: text}},
	}
}

// byWebhook returns a refusal by the validating webhook of a field's value.
func byWebhook(resource, name string, c metav1.StatusCause) refusal {
	return refusal{
		Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden,
		Message: fmt.Sprintf("admission webhook %q denied the request: %s.firebreak.dev %q is forbidden: %s: %s",
			"core.firebreak.dev", resource, name, c.Field, c.Message),
		Causes: []metav1.StatusCause{c},
	}
}
