package recorded

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/firebreak-dev/firebreak/pkg/admission"
	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/e2e/apistore"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/ledger"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

const (
	namespace = "firebreak-system"
	cluster   = "prod-eu-1"
)

// server is one replica in memory, with a clock of the test.
type server struct {
	t       *testing.T
	at      time.Time
	store   *apistore.Store
	cluster *policy.ClusterView
	http.Handler
}

// controllerUID is the UID of the cronjob controller's account in the recording.
const controllerUID = "d59edb14-ac8e-4360-b657-187d2ed03546"

func serverOf(t *testing.T, in estate.Input, objects ...client.Object) *server {
	t.Helper()
	in.Cluster, in.FirebreakNamespace, in.FirebreakAccount = cluster, namespace, "firebreak"
	s := &server{t: t, cluster: policy.NewClusterView(estate.Compile(in))}
	s.cluster.ControllerUID = func(string) (string, bool) { return controllerUID, true }
	clock := func() time.Time { return s.at }
	s.store = apistore.New(clock)
	for _, o := range objects {
		if err := s.store.Put(o); err != nil {
			t.Fatal(err)
		}
	}
	s.Handler = &ctrladmission.Webhook{Handler: &admission.Handler{
		Cache: s, Live: admission.NewReader(s.store, namespace, func(string, string) {}), Ledger: ledger.New(s.store, namespace),
		Recorder: s, Metrics: admission.NewMetrics(prometheus.NewRegistry()), Clock: clock, Log: logr.Discard(),
		Deadline: 30 * time.Second, Attempts: admission.NewLimiter(time.Minute, 1000), Repeats: admission.NewLimiter(time.Hour, 1), Controllers: admission.NewLimiter(time.Nanosecond, 1000),
	}}
	return s
}

// View implements the handler's memory. Seen and Record do nothing.
func (s *server) View() (*policy.ClusterView, error)          { return s.cluster, nil }
func (*server) Seen(types.UID)                                {}
func (*server) Record(_ context.Context, _ admission.Outcome) {}

func recording(t *testing.T, name string) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var review map[string]any
	if err := json.Unmarshal(raw, &review); err != nil {
		t.Fatal(err)
	}
	return review
}

// object returns the object of a recording, as it was sent.
func object(t *testing.T, review map[string]any) map[string]any {
	t.Helper()
	return review["request"].(map[string]any)["object"].(map[string]any)
}

// send replays a recording at an instant, with an object created then, under a new UID. It returns the message that the sender
// reads, which is empty if the object is admitted.
func (s *server) send(review map[string]any, at time.Time, edit func(meta map[string]any)) string {
	s.t.Helper()
	s.at = at
	meta := object(s.t, review)["metadata"].(map[string]any)
	meta["creationTimestamp"], meta["uid"] = at.UTC().Format(time.RFC3339), "uid-at-"+at.UTC().Format(time.RFC3339Nano)
	if edit != nil {
		edit(meta)
	}
	body, err := json.Marshal(review)
	if err != nil {
		s.t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	post := httptest.NewRequest(http.MethodPost, "/admit", bytes.NewReader(body))
	post.Header.Set("Content-Type", "application/json")
	s.ServeHTTP(rec, post)
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil || answer.Response == nil {
		s.t.Fatalf("the answer %q: %v", rec.Body, err)
	}
	if answer.Response.Allowed {
		return ""
	}
	return policy.WithoutDenialID(answer.Response.Result.Message)
}

// planOf returns a plan that pins what a recording would run.
func planOf(t *testing.T, review map[string]any, names v1alpha1.Glob) *v1alpha1.Plan {
	t.Helper()
	raw, err := json.Marshal(object(t, review))
	if err != nil {
		t.Fatal(err)
	}
	work, err := workload.Of(schema.GroupKind{Group: "batch", Kind: "Job"}, raw)
	if err != nil {
		t.Fatal(err)
	}
	p := change.PlanOf(work, nil)
	return &v1alpha1.Plan{Workloads: []v1alpha1.PlannedWorkload{{ScopedResource: jobs(names), Digest: p.Digest, Fields: p.Fields}}}
}

func jobs(names v1alpha1.Glob) v1alpha1.ScopedResource {
	return v1alpha1.ScopedResource{Group: "batch", Kind: "Job", Names: []v1alpha1.Glob{names}}
}

// estateOf returns an estate of a production with a database, a development and a staging.
func estateOf(edit func(*v1alpha1.Environment)) estate.Input {
	side := func(name string, tier v1alpha1.Tier, group v1alpha1.Glob, namespaces ...v1alpha1.Glob) v1alpha1.Environment {
		return v1alpha1.Environment{
			TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.KindEnvironment},
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: v1alpha1.EnvironmentSpec{
				Tier: tier, Namespaces: v1alpha1.NamespaceMembers{Names: namespaces}, Identities: v1alpha1.IdentityMembers{Groups: []v1alpha1.Glob{group}},
			},
		}
	}
	one := int32(1)
	prod := side("production", v1alpha1.TierProduction, "sre", "payments", "prod-*")
	prod.Spec.ChangeControl = &v1alpha1.ChangeControl{RequiredApprovals: &one}
	if edit != nil {
		edit(&prod)
	}
	return estate.Input{
		Environments: []v1alpha1.Environment{prod, side("development", v1alpha1.TierNonProduction, "developers", "dev"), side("staging", v1alpha1.TierNonProduction, "developers", "staging")},
		DataStores: []v1alpha1.DataStore{{
			TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.KindDataStore},
			ObjectMeta: metav1.ObjectMeta{Name: "orders"}, Spec: v1alpha1.DataStoreSpec{Environment: "production", Hosts: []string{"orders.prod.db.example.com"}},
		}},
		Namespaces: map[string]map[string]string{"payments": nil, "prod-masking": nil, "dev": nil, "staging": nil, namespace: nil},
	}
}

// standard returns an approved window that recurs, requested by sam and approved by robin at an instant.
func standard(t *testing.T, review map[string]any, names v1alpha1.Glob, r v1alpha1.Recurrence, approved time.Time) (*v1alpha1.ChangeWindow, *v1alpha1.ChangeApproval) {
	t.Helper()
	w := &v1alpha1.ChangeWindow{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.KindChangeWindow},
		ObjectMeta: metav1.ObjectMeta{Name: "nightly", Namespace: "payments", UID: "w", CreationTimestamp: metav1.NewTime(approved)},
		Spec: v1alpha1.ChangeWindowSpec{
			Type: v1alpha1.WindowStandard, Environment: "production", Reason: "the nightly routine",
			Schedule:    v1alpha1.Schedule{Recurrence: &r},
			Scope:       v1alpha1.Scope{Operations: []v1alpha1.Operation{v1alpha1.OperationCreate}, Resources: []v1alpha1.ScopedResource{jobs(names)}},
			Plan:        planOf(t, review, names),
			RequestedBy: &v1alpha1.Stamp{Username: "sam", UID: "u-sam", Groups: []string{"sre"}},
		},
	}
	a := &v1alpha1.ChangeApproval{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.KindChangeApproval},
		ObjectMeta: metav1.ObjectMeta{Name: "robin-says", Namespace: "payments", CreationTimestamp: metav1.NewTime(approved)},
		Spec: v1alpha1.ChangeApprovalSpec{
			Window: &v1alpha1.LocalReference{Name: w.Name, UID: string(w.UID)}, Digest: change.WindowDigest(&w.Spec), Decision: v1alpha1.DecisionApprove,
			Approver: &v1alpha1.Stamp{Username: "robin", UID: "u-robin", Groups: []string{"sre"}},
		},
	}
	return w, a
}

func instant(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
