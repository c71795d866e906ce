package model

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/firebreak-dev/firebreak/pkg/admission"
	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/apistore"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/ledger"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// memory is a cluster in memory: the store, and replicas of the webhook that it asks over HTTP, as the API server does.
type memory struct {
	t        testing.TB
	mu       sync.Mutex
	at       time.Time
	store    *apistore.Store
	env      *v1alpha1.Environment
	other    *v1alpha1.Environment
	cluster  *policy.ClusterView
	replicas [threeWide]http.Handler
	asked    int
	bursts   int
	labels   int
}

func newMemory(t testing.TB) *memory {
	m := &memory{t: t, at: time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)}
	m.store = apistore.New(m.clock)
	one := int32(1)
	m.env = &v1alpha1.Environment{
		ObjectMeta: metav1.ObjectMeta{Name: "production", UID: "env", Generation: 1, Annotations: map[string]string{v1alpha1.AnnotationSealed: "true"}},
		Spec: v1alpha1.EnvironmentSpec{
			Tier: v1alpha1.TierProduction, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{payments}},
			Identities:    v1alpha1.IdentityMembers{Groups: []v1alpha1.Glob{"sre"}},
			ChangeControl: &v1alpha1.ChangeControl{RequiredApprovals: &one},
		},
	}
	m.other = warehouseOf()
	m.compile()
	for i := range m.replicas {
		m.start(i)
		d := deploymentOf(fmt.Sprintf("n%d", i), first)
		m.store.Born(d)
		if err := m.store.Put(d); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *memory) now([]time.Time) time.Time { return m.clock() }

func (m *memory) clock() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at
}

func (m *memory) compile() {
	w := policy.NewClusterView(estate.Compile(estate.Input{
		Environments: []v1alpha1.Environment{*m.env, *m.other},
		DataStores: []v1alpha1.DataStore{{
			ObjectMeta: metav1.ObjectMeta{Name: "orders"},
			Spec:       v1alpha1.DataStoreSpec{Environment: "production", Hosts: []string{"orders.prod.db.example.com"}},
		}},
		Namespaces: map[string]map[string]string{payments: nil, depot: nil, stage.Namespace: nil},
		Cluster:    stage.Cluster, FirebreakNamespace: stage.Namespace, FirebreakAccount: "firebreak",
	}))
	m.mu.Lock()
	m.cluster = w
	m.mu.Unlock()
}

// View implements the handler's memory.
func (m *memory) View() (*policy.ClusterView, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cluster, nil
}

// Seen implements the handler's memory.
func (*memory) Seen(types.UID) {}

type nobodyWatches struct{}

func (nobodyWatches) Record(context.Context, admission.Outcome) {}

// start replaces a replica, which loses its memory.
func (m *memory) start(i int) {
	h := &admission.Handler{
		Cache: m, Live: admission.NewReader(m.store, stage.Namespace, func(string, string) {}), Ledger: ledger.New(m.store, stage.Namespace),
		Recorder: nobodyWatches{}, Metrics: admission.NewMetrics(prometheus.NewRegistry()), Clock: m.clock, Log: logr.Discard(),
		Deadline: 30 * time.Second, Attempts: admission.NewLimiter(time.Minute, 1000), Repeats: admission.NewLimiter(time.Hour, 1), Controllers: admission.NewLimiter(time.Second, 1000),
	}
	mux := http.NewServeMux()
	mux.Handle("/admit", &ctrladmission.Webhook{Handler: h})
	mux.Handle("/stamp", &ctrladmission.Webhook{Handler: admission.Stamper{}})
	m.replicas[i] = mux
}

// review is a question of the API server.
type review struct {
	person   string
	op       admissionv1.Operation
	resource string
	object   client.Object
	old      client.Object
	dry      bool
}

func (m *memory) ask(path string, r review) *admissionv1.AdmissionResponse {
	m.t.Helper()
	about := r.object
	if about == nil {
		about = r.old
	}
	gvk := about.GetObjectKind().GroupVersionKind()
	req := &admissionv1.AdmissionRequest{
		UID: types.UID(fmt.Sprint(time.Now().UnixNano())), Operation: r.op, Namespace: about.GetNamespace(), Name: about.GetName(), DryRun: &r.dry,
		Kind:     metav1.GroupVersionKind(gvk),
		Resource: metav1.GroupVersionResource{Group: gvk.Group, Version: gvk.Version, Resource: r.resource},
		UserInfo: userOf(r.person), Object: m.raw(r.object), OldObject: m.raw(r.old),
	}
	body, err := json.Marshal(admissionv1.AdmissionReview{TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: req})
	if err != nil {
		m.t.Fatal(err)
	}
	m.mu.Lock()
	m.asked++
	replica := m.replicas[m.asked%len(m.replicas)]
	m.mu.Unlock()
	rec := httptest.NewRecorder()
	post := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	post.Header.Set("Content-Type", "application/json")
	replica.ServeHTTP(rec, post)
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil || answer.Response == nil {
		m.t.Fatalf("the answer %q: %v", rec.Body, err)
	}
	return answer.Response
}

func (m *memory) raw(o client.Object) runtime.RawExtension {
	if o == nil {
		return runtime.RawExtension{}
	}
	raw, err := json.Marshal(o)
	if err != nil {
		m.t.Fatal(err)
	}
	return runtime.RawExtension{Raw: raw}
}

func userOf(person string) authenticationv1.UserInfo {
	group := "sre"
	if person == developer {
		group = "developers"
	}
	return authenticationv1.UserInfo{Username: person, UID: "u-" + person, Groups: []string{group, "system:authenticated"}}
}

// outcomeOf turns an answer into an outcome, as its sender would read it.
func outcomeOf(allowed bool, s *metav1.Status) outcome {
	switch {
	case allowed:
		return outcome{kind: admitted}
	case s.Code == retryable || s.Code == http.StatusTooManyRequests:
		return outcome{kind: retry}
	case s.Code == http.StatusConflict:
		return outcome{kind: exists}
	}
	out := outcome{kind: invalid}
	if s.Details == nil {
		return out
	}
	for _, c := range s.Details.Causes {
		if slices.Contains(v1alpha1.RuleNames(), v1alpha1.RuleName(c.Type)) {
			out.kind, out.rules = denied, append(out.rules, string(c.Type))
		}
	}
	slices.Sort(out.rules)
	out.rules = slices.Compact(out.rules)
	return out
}

// create stamps, judges and stores, in the API server's order.
func (m *memory) create(person, resource string, o client.Object, dry bool, f fault) outcome {
	m.store.Born(o)
	if o.GetObjectKind().GroupVersionKind().Group == v1alpha1.GroupName {
		m.stamp(person, resource, o)
	}
	m.store.Set(f.stored())
	r := m.ask("/admit", review{person: person, op: admissionv1.Create, resource: resource, object: o, dry: dry})
	m.store.Set(apistore.None)
	out := outcomeOf(r.Allowed, r.Result)
	switch {
	case f == deaf:
		return outcome{kind: retry}
	case out.kind != admitted:
		return out
	case dry && m.store.Has(o):
		return outcome{kind: exists}
	case !dry:
		if m.store.Put(o) != nil {
			return outcome{kind: exists}
		}
	}
	out.uid = string(o.GetUID())
	return out
}

// stamp applies the patch of the mutating webhook.
func (m *memory) stamp(person, resource string, o client.Object) {
	r := m.ask("/stamp", review{person: person, op: admissionv1.Create, resource: resource, object: o})
	var ops []struct {
		Path  string          `json:"path"`
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(r.Patch, &ops); err != nil || len(ops) != 1 {
		m.t.Fatalf("stamp %s: %s %v", o.GetName(), r.Patch, err)
	}
	field := ops[0].Path[len("/spec/"):]
	patch := fmt.Appendf(nil, `{"spec":{%q:%s}}`, field, ops[0].Value)
	if err := json.Unmarshal(patch, o); err != nil {
		m.t.Fatal(err)
	}
}

func kind(o client.Object, gvk schema.GroupVersionKind) client.Object {
	o.GetObjectKind().SetGroupVersionKind(gvk)
	return o
}
