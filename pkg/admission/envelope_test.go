package admission_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/firebreak-dev/firebreak/pkg/admission"
)

// echo admits, and keeps the request.
type echo struct{ got ctrladmission.Request }

func (e *echo) Handle(_ context.Context, req ctrladmission.Request) ctrladmission.Response {
	e.got = req
	return ctrladmission.Allowed("")
}

const envelopeUID = "705ab4f5-6393-11e8-b7cc-42010a800002"

// envelope is a review with more fields of the request.
func envelope(more string) string {
	return `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"` + envelopeUID + `","operation":"CREATE","namespace":"dev"` + more + `}}`
}

// TestEnvelopes sends bodies to the server. What cannot be read is denied, under the UID that the review has.
func TestEnvelopes(t *testing.T) {
	for name, tc := range map[string]struct {
		body    string
		allowed bool
		says    string
		object  string
	}{
		"a review":                     {envelope(`,"object":{"a":[1,{"b":"c"}]},"oldObject":null,"userInfo":{"username":"dana"}`), true, "", `{"a":[1,{"b":"c"}]}`},
		"fields that nobody knows":     {envelope(`,"later":{"x":[]},"object":{}`), true, "", "{}"},
		"another version":              {strings.Replace(envelope(""), "/v1\"", "/v1beta1\"", 1), false, `it is a "AdmissionReview" of "admission.k8s.io/v1beta1", and not an AdmissionReview of admission.k8s.io/v1`, ""},
		"no request":                   {`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}`, false, "it holds no request", ""},
		"an object twice":              {envelope(`,"object":{"a":1},"object":{"a":2}`), true, "", `{"a":2}`},
		"a text that is not UTF-8":     {envelope(",\"object\":{\"a\":\"\xff\"}"), true, "", "{\"a\":\"\xff\"}"},
		"a null object":                {envelope(`,"object":null`), true, "", ""},
		"nested without end":           {envelope(`,"object":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)), false, "Firebreak cannot read the review", ""},
		"the UID at the end":           {`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v2","request":{"operation":"CREATE","uid":"` + envelopeUID + `"}}`, false, "and not an AdmissionReview of", ""},
		"half a review":                {envelope(`,"object":{"a":`)[:150], false, "Firebreak cannot read the review", ""},
		"a list":                       {"[]", false, "Firebreak cannot read the review: an object cannot be a list", ""},
		"nothing":                      {"", false, "the body is empty", ""},
		"an operation of another type": {envelope(`,"operation":7`), false, "Firebreak cannot read the review: request.operation cannot be the number", ""},
		"more than is read":            {envelope(`,"object":{"a":"` + strings.Repeat("x", 8<<20) + `"}`), false, "make the object smaller", ""},
	} {
		for _, chunked := range []bool{false, true} {
			e := &echo{}
			server := httptest.NewServer(admission.NewServer(e, 1<<30, admission.NewMetrics(prometheus.NewRegistry())))
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, bytes.NewReader([]byte(tc.body)))
			if err != nil {
				t.Fatal(err)
			}
			if chunked {
				req.ContentLength = -1
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var review admissionv1.AdmissionReview
			err = json.NewDecoder(resp.Body).Decode(&review)
			_ = resp.Body.Close()
			server.Close()
			switch {
			case err != nil || review.Response == nil:
				t.Errorf("%s: no review in answer: %v", name, err)
			case review.Response.Allowed != tc.allowed || !tc.allowed && !strings.Contains(review.Response.Result.Message, tc.says):
				t.Errorf("%s: %+v", name, review.Response)
			case strings.Contains(tc.body, `"uid":"`+envelopeUID) && review.Response.UID != envelopeUID:
				t.Errorf("%s (chunked: %t): the answer is for %q", name, chunked, review.Response.UID)
			case string(e.got.Object.Raw) != tc.object:
				t.Errorf("%s: the object is %q", name, e.got.Object.Raw)
			}
		}
	}
}
