package admission_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Any body gets a review that does not admit as its answer, and the server lives.
func TestMalformedReviews(t *testing.T) {
	s := httptest.NewServer(&ctrladmission.Webhook{Handler: newHandler(memory{small(), nil}, live{})})
	t.Cleanup(s.Close)
	const head = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"`
	for name, body := range map[string]string{
		"nothing":              ``,
		"no JSON":              `{`,
		"no review":            `{"apiVersion":"v1","kind":"Pod"}`,
		"no request":           head + `}`,
		"a null request":       head + `,"request":null}`,
		"an empty request":     head + `,"request":{}}`,
		"an unknown operation": head + `,"request":{"uid":"1","operation":"PATCH","namespace":"payments"}}`,
		"an update of nothing": head + `,"request":{"uid":"1","operation":"UPDATE","namespace":"payments","object":{}}}`,
		"a deep object":        head + `,"request":{"uid":"1","operation":"CREATE","namespace":"payments","kind":{"kind":"Pod","version":"v1"},"object":` + strings.Repeat(`{"a":`, 20_000) + `1` + strings.Repeat(`}`, 20_000) + `}}`,
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := http.Post(s.URL, "application/json", strings.NewReader(body)) //nolint:noctx // a test server
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			raw, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			var review admissionv1.AdmissionReview
			if err := json.Unmarshal(raw, &review); err != nil || review.Response == nil || review.Response.Allowed {
				t.Errorf("%v %s", err, raw)
			}
		})
	}
}
