package admission_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
)

const home = "firebreak-system"

// night is the instant of these tests.
func night() time.Time { return time.Date(2026, 11, 28, 2, 30, 0, 0, time.UTC) }

// recorder is an API server in memory that notes every call. meanwhile is called before each: its error is the call's.
type recorder struct {
	*apistore.Store
	mu        sync.Mutex
	calls     []string
	meanwhile func(call string) error
}

func (r *recorder) note(format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	r.mu.Lock()
	r.calls = append(r.calls, call)
	r.mu.Unlock()
	if r.meanwhile == nil {
		return nil
	}
	return r.meanwhile(call)
}

// sorted returns the calls in alphabetical order, since calls of one moment come in any order.
func (r *recorder) sorted() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(slices.Values(r.calls))
}

func kindOf(o any) string {
	name := fmt.Sprintf("%T", o)
	return strings.TrimSuffix(name[strings.LastIndex(name, ".")+1:], "List")
}

func (r *recorder) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	var with client.ListOptions
	with.ApplyOptions(opts)
	call := "list " + kindOf(list) + " in " + with.Namespace
	if with.LabelSelector != nil {
		call += " with " + with.LabelSelector.String()
	}
	if err := r.note("%s", call); err != nil {
		return err
	}
	return r.Store.List(ctx, list, opts...)
}

func (r *recorder) Get(ctx context.Context, key client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	kind := into.GetObjectKind().GroupVersionKind().Kind
	if kind == "" {
		kind = kindOf(into)
	}
	if err := r.note("get %s %s", kind, key); err != nil {
		return err
	}
	return r.Store.Get(ctx, key, into, opts...)
}

func (r *recorder) Create(ctx context.Context, o client.Object, opts ...client.CreateOption) error {
	call := fmt.Sprintf("create %s %s", kindOf(o), o.GetName())
	if review, ok := o.(*authorizationv1.SubjectAccessReview); ok {
		call = "ask whether " + review.Spec.User + " may approve"
	}
	if err := r.note("%s", call); err != nil {
		return err
	}
	return r.Store.Create(ctx, o, opts...)
}

func (r *recorder) Delete(ctx context.Context, o client.Object, opts ...client.DeleteOption) error {
	if err := r.note("delete %s %s", kindOf(o), o.GetName()); err != nil {
		return err
	}
	return r.Store.Delete(ctx, o, opts...)
}

// trial is a handler with everything that it works on.
type trial struct {
	*admission.Handler
	t        testing.TB
	api      *recorder
	told     *witness
	registry *prometheus.Registry
	remember map[string]string
	mu       sync.Mutex
	lines    []string
}

func newTrial(t testing.TB, objects ...client.Object) *trial {
	t.Helper()
	x := &trial{t: t, api: &recorder{Store: apistore.New(night)}, told: &witness{}, registry: prometheus.NewRegistry(), remember: map[string]string{}}
	for _, o := range objects {
		if err := x.api.Put(o); err != nil {
			t.Fatal(err)
		}
	}
	x.Handler = &admission.Handler{
		Cache: memory{guarded(), nil}, Ledger: ledger.New(x.api, home), Recorder: x.told, Metrics: admission.NewMetrics(x.registry),
		Live:  admission.NewReader(x.api, home, func(name, uid string) { x.remember[name] = uid }),
		Clock: night, Deadline: 10 * time.Second, Attempts: admission.NewLimiter(time.Minute, 1000), Repeats: admission.NewLimiter(time.Hour, 1), Controllers: admission.NewLimiter(time.Second, 2),
		Log: funcr.New(func(_, args string) {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.lines = append(x.lines, args)
		}, funcr.Options{}),
	}
	return x
}

// logged returns the one line of the log.
func (x *trial) logged() string {
	x.t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.lines) != 1 {
		x.t.Fatalf("the log has %d lines, want one: %q", len(x.lines), x.lines)
	}
	return x.lines[0]
}

// executions returns the names of the recorded executions.
func (x *trial) executions() []string {
	out := []string{}
	for _, e := range apistore.All[v1alpha1.ChangeExecution](x.api.Store, home) {
		out = append(out, e.Name)
	}
	return out
}

// counted returns the value of a metric, summed over all its series.
func (x *trial) counted(name string) float64 {
	x.t.Helper()
	families, err := x.registry.Gather()
	if err != nil {
		x.t.Fatal(err)
	}
	var n float64
	for _, f := range families {
		if f.GetName() != "firebreak_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			n += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return n
}

// guarded returns a view with one Production environment that wants one approval, one in its first days, and one for
// development.
func guarded() *policy.ClusterView {
	environment := func(name string, tier v1alpha1.Tier, ns string) v1alpha1.Environment {
		return v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.EnvironmentSpec{
			Tier: tier, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{v1alpha1.Glob(ns)}, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"env": name}}},
			Identities: v1alpha1.IdentityMembers{Groups: []v1alpha1.Glob{"sre"}},
		}}
	}
	production, edge := environment("production", v1alpha1.TierProduction, "payments"), environment("edge", v1alpha1.TierProduction, "edge")
	one := int32(1)
	production.Spec.ChangeControl = &v1alpha1.ChangeControl{RequiredApprovals: &one, RequirePlan: new(bool), ConfirmTarget: new(bool)}
	edge.Spec.ChangeControl = production.Spec.ChangeControl
	edge.Spec.Enforcement.Default = v1alpha1.ActionWarn
	w := policy.NewClusterView(estate.Compile(estate.Input{
		Environments: []v1alpha1.Environment{production, edge, environment("development", v1alpha1.TierNonProduction, "dev")},
		DataStores: []v1alpha1.DataStore{
			{ObjectMeta: metav1.ObjectMeta{Name: "orders"}, Spec: v1alpha1.DataStoreSpec{Environment: "production", Hosts: []string{"orders.prod.db.example.com"}}},
			{ObjectMeta: metav1.ObjectMeta{Name: "routes"}, Spec: v1alpha1.DataStoreSpec{Environment: "edge", Hosts: []string{"routes.edge.db.example.com"}}},
		},
		Namespaces: map[string]map[string]string{"payments": nil, "edge": nil, "dev": nil, home: nil},
		Cluster:    "prod-eu-1", FirebreakNamespace: home, FirebreakAccount: "firebreak",
	}))
	return w
}

const reindexJob = `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"reindex","namespace":"payments","uid":"job-1","creationTimestamp":"2026-11-28T02:30:00Z"},` +
	`"spec":{"template":{"spec":{"containers":[{"name":"main","image":"postgres:17","command":["psql","-h","orders.prod.db.example.com"]}]}}}}`

// reindex returns Sam's request for the Job that the window of these tests is for.
func reindex() ctrladmission.Request {
	r := review("sam", "sre", "payments", admissionv1.Create, reindexJob)
	r.UserInfo.UID = "sam-1"
	return r
}

// window returns an open window for one execution of the Job.
func window(name string) *v1alpha1.ChangeWindow {
	one := int32(1)
	return &v1alpha1.ChangeWindow{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "payments", UID: types.UID("uid-of-" + name)},
		Spec: v1alpha1.ChangeWindowSpec{
			Type: v1alpha1.WindowNormal, Environment: "production", Reason: "rebuild the index", MaxExecutions: &one,
			RequestedBy: &v1alpha1.Stamp{Username: "sam", UID: "sam-1", Groups: []string{"sre"}},
			Schedule:    v1alpha1.Schedule{Start: &metav1.Time{Time: night().Add(-time.Hour)}, End: &metav1.Time{Time: night().Add(time.Hour)}},
			Scope: v1alpha1.Scope{
				Operations: []v1alpha1.Operation{v1alpha1.OperationCreate}, Resources: []v1alpha1.ScopedResource{{Group: "batch", Kind: "Job", Names: []v1alpha1.Glob{"reindex"}}},
			},
		},
	}
}

// approval returns Kim's approval of a window.
func approval(w *v1alpha1.ChangeWindow) *v1alpha1.ChangeApproval {
	return &v1alpha1.ChangeApproval{
		ObjectMeta: metav1.ObjectMeta{Name: w.Name + "-kim", Namespace: w.Namespace, UID: w.UID + "-kim", CreationTimestamp: metav1.NewTime(night().Add(-time.Hour))},
		Spec: v1alpha1.ChangeApprovalSpec{
			Window: &v1alpha1.LocalReference{Name: w.Name, UID: string(w.UID)}, Decision: v1alpha1.DecisionApprove, Digest: change.WindowDigest(&w.Spec),
			Approver: &v1alpha1.Stamp{Username: "kim", UID: "kim-1", Groups: []string{"sre"}},
		},
	}
}

// said returns the message of a refusal, without the id that ends a denial.
func said(resp ctrladmission.Response) string {
	return policy.WithoutDenialID(resp.Result.Message)
}

// checkAnswer compares an answer with a code and a whole sentence; code is 0 if the request is admitted.
func checkAnswer(t *testing.T, resp ctrladmission.Response, code int32, message, reason string) {
	t.Helper()
	if code == 0 {
		if !resp.Allowed {
			t.Fatalf("denied: %+v: %s", resp.Result, reason)
		}
		return
	}
	if resp.Allowed || resp.Result.Code != code || said(resp) != message {
		t.Errorf("admitted: %t, %d %q,\nwant %d %q: %s", resp.Allowed, resp.Result.Code, resp.Result.Message, code, message, reason)
	}
	retry := int32(0)
	if resp.Result.Details != nil {
		retry = resp.Result.Details.RetryAfterSeconds
	}
	if want := map[int32]int32{http.StatusServiceUnavailable: 2, http.StatusTooManyRequests: 2}[code]; retry != want {
		t.Errorf("retry after %d s, want %d: %s", retry, want, reason)
	}
	if _, used := resp.AuditAnnotations["execution"]; used {
		t.Errorf("the audit log names an execution: %v", resp.AuditAnnotations)
	}
}
