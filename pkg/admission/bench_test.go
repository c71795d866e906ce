package admission_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

type alwaysAllow struct{}

func (alwaysAllow) Handle(context.Context, ctrladmission.Request) ctrladmission.Response {
	return ctrladmission.Allowed("")
}

// deploymentReview is a review of a Deployment of about 8 KB, admitted in development.
func deploymentReview(b *testing.B) []byte {
	b.Helper()
	var env []string
	for i := range 90 {
		env = append(env, fmt.Sprintf(`{"name":"SETTING_%02d","value":"https://service-%02d.dev.svc.cluster.local:8443/path"}`, i, i))
	}
	object := fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"shop","namespace":"dev"},"spec":{"selector":{"matchLabels":{"app":"shop"}},`+
		`"template":{"metadata":{"labels":{"app":"shop"}},"spec":{"containers":[{"name":"shop","image":"shop:1","env":[%s]}]}}}}`, strings.Join(env, ","))
	req := review("dana", "developers", "dev", admissionv1.Create, object).AdmissionRequest
	req.Kind = metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
	req.Resource = metav1.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	raw, err := json.Marshal(admissionv1.AdmissionReview{TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: &req})
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("the review has %d bytes", len(raw))
	return raw
}

// serve answers over TLS and HTTP/1.1, as API servers speak to webhooks.
func serve(b *testing.B, h ctrladmission.Handler) func(body []byte) {
	b.Helper()
	s := httptest.NewUnstartedServer(&ctrladmission.Webhook{Handler: h})
	s.EnableHTTP2 = false
	s.StartTLS()
	b.Cleanup(s.Close)
	c := s.Client()
	return func(body []byte) {
		resp, err := c.Post(s.URL, "application/json", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		answer, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte(`"allowed":true`)) {
			b.Fatalf("%v %d %s", err, resp.StatusCode, answer)
		}
	}
}

// BenchmarkHandler measures the whole handler beside one that admits everything, in the same run: the ratio holds on a
// noisy machine, the absolute times do not.
func BenchmarkHandler(b *testing.B) {
	body := deploymentReview(b)
	ours, theirs := serve(b, newHandler(memory{small(), true}, live{})), serve(b, alwaysAllow{})
	ours(body)
	theirs(body)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	var us, them time.Duration
	for b.Loop() {
		start := time.Now()
		ours(body)
		middle := time.Now()
		theirs(body)
		us, them = us+middle.Sub(start), them+time.Since(middle)
	}
	b.ReportMetric(float64(us.Nanoseconds())/float64(b.N), "ns/firebreak")
	b.ReportMetric(float64(them.Nanoseconds())/float64(b.N), "ns/always-allow")
	b.ReportMetric(float64(us)/float64(them), "ratio")
}
