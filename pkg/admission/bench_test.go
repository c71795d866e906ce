package admission_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
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
	ours, theirs := serve(b, newHandler(memory{small(), nil}, live{})), serve(b, alwaysAllow{})
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

// quiet answers live reads at once, and counts them: each is a round trip to the API server.
type quiet struct {
	live
	reads *int
}

func (q quiet) State(context.Context, *policy.PreparedRequest, string) (*change.State, error) {
	*q.reads++
	return &change.State{}, nil
}

func (q quiet) Read(_ context.Context, _ *policy.Missing, _ *policy.ClusterView, f *policy.Facts) error {
	*q.reads++
	f.Owner, f.Scale = &policy.OwnerObject{Unreadable: true}, &policy.TargetScale{}
	return nil
}

// BenchmarkOperators measures the cost of sending everything: the recorded POSTs and patches of operators that hold an
// object, one after the other.
func BenchmarkOperators(b *testing.B) {
	bodies := recordedReviews(b)
	reads := 0
	w := small()
	w.Estate = estate.Compile(estate.Input{
		Environments: []v1alpha1.Environment{{
			ObjectMeta: metav1.ObjectMeta{Name: "production"},
			Spec: v1alpha1.EnvironmentSpec{
				Tier: v1alpha1.TierProduction, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{"payments"}},
				Identities: v1alpha1.IdentityMembers{Operators: []v1alpha1.ServiceAccountGlob{"*/*"}},
			},
		}},
		Namespaces: map[string]map[string]string{"payments": nil}, Cluster: "prod-eu-1", FirebreakNamespace: "firebreak-system",
	})
	ours, theirs := serve(b, newHandler(memory{w, nil}, quiet{reads: &reads})), serve(b, alwaysAllow{})
	b.ReportAllocs()
	var us, them time.Duration
	for b.Loop() {
		for _, body := range bodies {
			start := time.Now()
			ours(body)
			middle := time.Now()
			theirs(body)
			us, them = us+middle.Sub(start), them+time.Since(middle)
		}
	}
	n := float64(b.N * len(bodies))
	b.ReportMetric(float64(us.Nanoseconds())/n, "ns/firebreak")
	b.ReportMetric(float64(them.Nanoseconds())/n, "ns/always-allow")
	b.ReportMetric(float64(us)/float64(them), "ratio")
	b.ReportMetric(float64(reads)/n, "reads/request")
}

// recordedReviews makes reviews of the objects that the recordings of pkg/e2e/falsepositives hold. Pods and Jobs are core, and were sent
// before.
func recordedReviews(b *testing.B) [][]byte {
	b.Helper()
	files, err := filepath.Glob(filepath.Join("..", "e2e", "falsepositives", "testdata", "requests", "*.yaml"))
	if err != nil || len(files) == 0 {
		b.Fatalf("no recordings: %v", err)
	}
	var out [][]byte
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		var recording struct {
			Requests []struct{ Body map[string]any }
		}
		if err := yaml.Unmarshal(raw, &recording); err != nil {
			b.Fatalf("%s: %v", file, err)
		}
		for _, r := range recording.Requests {
			u := unstructured.Unstructured{Object: r.Body}
			gvk := u.GroupVersionKind()
			switch gvk.Kind {
			case "", "Pod", "Job", "Eviction", "Event", "Lease":
				continue
			}
			out = append(out, reviewOf(b, &u, gvk))
		}
	}
	b.Logf("%d requests", len(out))
	return out
}

func reviewOf(b *testing.B, u *unstructured.Unstructured, gvk schema.GroupVersionKind) []byte {
	b.Helper()
	u.SetNamespace("payments")
	object, err := json.Marshal(u)
	if err != nil {
		b.Fatal(err)
	}
	plural, _ := meta.UnsafeGuessKindToResource(gvk)
	req := review("system:serviceaccount:operators:operator", "system:serviceaccounts", "payments", admissionv1.Create, string(object)).AdmissionRequest
	req.UserInfo.UID = "operator"
	req.Kind, req.Resource = metav1.GroupVersionKind(gvk), metav1.GroupVersionResource(plural)
	raw, err := json.Marshal(admissionv1.AdmissionReview{TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: &req})
	if err != nil {
		b.Fatal(err)
	}
	return raw
}
