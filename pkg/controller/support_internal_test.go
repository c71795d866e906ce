package controller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/scheme"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// own is Firebreak's own namespace in these tests.
const own = "firebreak-system"

// at returns an instant in the night of these tests.
func at(clock string) time.Time {
	t, err := time.Parse("2006-01-02 15:04:05", "2026-11-28 "+clock)
	if err != nil {
		panic(err)
	}
	return t
}

func instant(clock string) *metav1.Time { return &metav1.Time{Time: at(clock)} }

func person(name string) *v1alpha1.Stamp {
	return &v1alpha1.Stamp{Username: name, UID: name + "-1", Groups: []string{"sre"}}
}

// stage is a cluster, the memory of a replica, and a clock.
type stage struct {
	t      *testing.T
	scheme *runtime.Scheme
	client client.WithWatch
	memory *Cache
	now    time.Time
	// mu guards the fields below.
	mu sync.Mutex
	// calls are the successful writes: verb, kind and name, and for a deletion the required UID.
	calls []string
	// broken are the calls that fail.
	broken map[string]error
	// revoked are the users that may not approve any more.
	revoked []string
	// logged are the lines of the log.
	logged []string
}

// errBroken is the error of broken calls.
var errBroken = errors.New("the API server is away")

// newStage puts objects into a cluster and into the cache, and compiles the estate. docs are manifests.
func newStage(t *testing.T, docs string, more ...client.Object) *stage {
	t.Helper()
	s := &stage{t: t, now: at("02:30:00"), broken: map[string]error{}}
	var err error
	if s.scheme, err = scheme.New(); err != nil {
		t.Fatal(err)
	}
	objects := append(s.read(docs), more...)
	b := fake.NewClientBuilder().WithScheme(s.scheme).WithReturnManagedFields().WithInterceptorFuncs(s.intercepts())
	for kind := range s.scheme.KnownTypes(v1alpha1.GVK("").GroupVersion()) {
		if o, ok := s.empty(kind).(client.Object); ok && strings.HasPrefix(fmt.Sprintf("%T", o), "*v1alpha1.") {
			b.WithStatusSubresource(o)
		}
	}
	for _, o := range objects {
		b.WithObjects(o.DeepCopyObject().(client.Object))
	}
	s.client = b.Build()
	s.memory = NewCache(nil, view.Settings{Cluster: "prod-eu-1", Namespace: own, ServiceAccount: "firebreak"}, func() time.Time { return s.now }, s.log())
	s.know(objects...)
	s.memory.compile()
	return s
}

func (s *stage) empty(kind string) runtime.Object {
	o, err := s.scheme.New(v1alpha1.GVK(kind))
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

// read decodes manifests.
func (s *stage) read(docs string) []client.Object {
	s.t.Helper()
	var out []client.Object
	for d := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(docs), 4096); ; {
		u := &unstructured.Unstructured{}
		if err := d.Decode(&u.Object); err != nil {
			return out
		}
		typed, err := s.scheme.New(u.GroupVersionKind())
		if err != nil {
			s.t.Fatal(err)
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(u.Object, typed, true); err != nil {
			s.t.Fatalf("%v in:\n%s", err, docs)
		}
		out = append(out, typed.(client.Object))
	}
}

// forget drops an object from the cache, as watches would.
func (s *stage) forget(kind, key string) {
	s.t.Helper()
	for _, k := range s.memory.view.Kinds() {
		if k.Kind == kind {
			k.Drop(key)
		}
	}
}

// know puts objects into the cache, as watches would.
func (s *stage) know(objects ...client.Object) {
	s.t.Helper()
	for _, o := range objects {
		gvk, err := apiutil.GVKForObject(o, s.scheme)
		if err != nil {
			s.t.Fatal(err)
		}
		tree, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			s.t.Fatal(err)
		}
		u := &unstructured.Unstructured{Object: tree}
		u.SetGroupVersionKind(gvk)
		if err := s.memory.view.Add(u); err != nil {
			s.t.Fatal(err)
		}
	}
}

// synced makes the cache consider everything read.
func (s *stage) synced() {
	close(s.memory.declared.compared)
	for _, m := range s.memory.mirrors {
		m.standIn()
	}
}

func (s *stage) log() logr.Logger {
	return funcr.New(func(_, args string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.logged = append(s.logged, args)
	}, funcr.Options{})
}

// call lets a call through unless it is to fail, and notes writes.
func (s *stage) call(verb string, o any, name string, write func() error) error {
	kind := fmt.Sprintf("%T", o)
	if object, ok := o.(runtime.Object); ok {
		if gvk, err := apiutil.GVKForObject(object, s.scheme); err == nil {
			kind = gvk.Kind
		}
	}
	text := strings.TrimSpace(verb + " " + kind + " " + name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.broken[text]; err != nil {
		return err
	}
	if err := write(); err != nil {
		return err
	}
	if verb != "get" && verb != "list" && verb != "ask" {
		s.calls = append(s.calls, text)
	}
	return nil
}

func (s *stage) intercepts() interceptor.Funcs {
	return interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			return s.call("get", o, key.Name, func() error { return c.Get(ctx, key, o, opts...) })
		},
		List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
			return s.call("list", l, "", func() error { return c.List(ctx, l, opts...) })
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if review, ok := o.(*authorizationv1.SubjectAccessReview); ok {
				return s.call("ask", o, "", func() error {
					review.Status.Allowed = !slices.Contains(s.revoked, review.Spec.User)
					return nil
				})
			}
			return s.call("create", o, o.GetName(), func() error {
				if review, ok := o.(*authenticationv1.SelfSubjectReview); ok {
					review.Status.UserInfo = firebreak()
					return nil
				}
				return c.Create(ctx, o, opts...)
			})
		},
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			var options client.ApplyOptions
			options.ApplyOptions(opts)
			u := &unstructured.Unstructured{Object: o.(interface{ UnstructuredContent() map[string]any }).UnstructuredContent()}
			name := u.GetName() + " as " + options.FieldManager
			if len(options.DryRun) > 0 {
				return s.call("try", u, name, func() error { return try(ctx, c, u, options.FieldManager) })
			}
			return s.call("apply", u, name, func() error { return c.Apply(ctx, o, opts...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			var options client.UpdateOptions
			options.ApplyOptions(opts)
			name := o.GetName()
			if options.FieldManager != "" {
				name += " as " + options.FieldManager + " with fields of"
				for _, m := range o.GetManagedFields() {
					name += " " + m.Manager
				}
			}
			return s.call("update", o, name, func() error { return c.Update(ctx, o, opts...) })
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			return s.call("patch", o, o.GetName(), func() error { return c.Patch(ctx, o, p, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			var options client.DeleteOptions
			options.ApplyOptions(opts)
			uid := "any"
			if options.Preconditions != nil && options.Preconditions.UID != nil {
				uid = string(*options.Preconditions.UID)
			}
			return s.call("delete", o, o.GetName()+" of UID "+uid, func() error { return c.Delete(ctx, o, opts...) })
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			return s.call("patch "+sub+" of", o, o.GetName(), func() error { return c.SubResource(sub).Patch(ctx, o, p, opts...) })
		},
	}
}

// try turns an object to apply into the form that would be stored. The fake client would store it.
func try(ctx context.Context, c client.Client, u *unstructured.Unstructured, manager string) error {
	before := &unstructured.Unstructured{}
	before.SetGroupVersionKind(u.GroupVersionKind())
	if err := c.Get(ctx, client.ObjectKeyFromObject(u), before); err != nil {
		u.SetManagedFields([]metav1.ManagedFieldsEntry{{
			Manager: manager, Operation: metav1.ManagedFieldsOperationApply, APIVersion: u.GetAPIVersion(), FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:webhooks":{}}`),
		}})
		return client.IgnoreNotFound(err)
	}
	before.Object["spec"] = u.Object["spec"]
	maps.Copy(u.Object, before.Object)
	return nil
}

// wantCalls compares the writes since its last call with the wanted ones.
func (s *stage) wantCalls(want ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if diff := cmp.Diff(want, s.calls); diff != "" {
		s.t.Errorf("written (-want +got):\n%s", diff)
	}
	s.calls = nil
}

// wantLogged expects a log line that holds a text.
func (s *stage) wantLogged(text string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.ContainsFunc(s.logged, func(line string) bool { return strings.Contains(line, text) }) {
		s.t.Errorf("no line of the log holds %s:\n%s", text, strings.Join(s.logged, "\n"))
	}
}

// stored returns an object of one of Firebreak's kinds, or nil if there is none.
func (s *stage) stored(kind, namespace, name string) *unstructured.Unstructured {
	s.t.Helper()
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(v1alpha1.GVK(kind))
	if err := s.client.Get(s.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, u); err != nil {
		if client.IgnoreNotFound(err) != nil {
			s.t.Fatal(err)
		}
		return nil
	}
	return u
}

// status returns the stored status of an object, one field or condition a line, without the times of transitions.
func (s *stage) status(kind, namespace, name string) string {
	s.t.Helper()
	u := s.stored(kind, namespace, name)
	if u == nil {
		return "gone"
	}
	fields, _, err := unstructured.NestedMap(u.Object, "status")
	if err != nil {
		s.t.Fatal(err)
	}
	conditions, _, err := unstructured.NestedSlice(fields, "conditions")
	if err != nil {
		s.t.Fatal(err)
	}
	delete(fields, "conditions")
	var out []string
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		if err := e.Encode(fields[k]); err != nil {
			s.t.Fatal(err)
		}
		out = append(out, k+": "+strings.TrimSpace(text.String()))
	}
	for _, c := range conditions {
		c := c.(map[string]any)
		out = append(out, fmt.Sprintf("%s %s %s of %v: %s", c["type"], c["status"], c["reason"], c["observedGeneration"], c["message"]))
	}
	return strings.Join(out, "\n")
}

// learn puts an object into the cache as it is stored now.
func (s *stage) learn(kind, namespace, name string) {
	s.t.Helper()
	if u := s.stored(kind, namespace, name); u != nil {
		if err := s.memory.view.Add(u); err != nil {
			s.t.Fatal(err)
		}
	}
}

// lines joins the lines of status.
func lines(all ...string) string { return strings.Join(all, "\n") }

// metrics returns the series of a registry, one a line.
func metrics(t *testing.T, r *prometheus.Registry) []string {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			text := f.GetName()
			for _, l := range m.GetLabel() {
				text += " " + l.GetName() + "=" + l.GetValue()
			}
			out = append(out, fmt.Sprintf("%s %v", text, m.GetGauge().GetValue()+m.GetCounter().GetValue()))
		}
	}
	return out
}

// window returns a window that is open from two to four for bob's change of an object in payments.
func window(change func(*v1alpha1.ChangeWindow)) *v1alpha1.ChangeWindow {
	w := &v1alpha1.ChangeWindow{
		ObjectMeta: metav1.ObjectMeta{Name: "rebuild", Namespace: "payments", UID: "rebuild-1", Generation: 1, CreationTimestamp: *instant("00:00:00")},
		Spec: v1alpha1.ChangeWindowSpec{
			Type: v1alpha1.WindowNormal, Environment: "production", Reason: "rebuild the index", RequestedBy: person("bob"),
			Schedule: v1alpha1.Schedule{Start: instant("02:00:00"), End: instant("04:00:00")},
			Scope: v1alpha1.Scope{
				Operations: []v1alpha1.Operation{v1alpha1.OperationCreate},
				Resources:  []v1alpha1.ScopedResource{{Group: "batch", Kind: "Job", Names: []v1alpha1.Glob{"*"}}},
			},
		},
	}
	if change != nil {
		change(w)
	}
	return w
}

func emergency(w *v1alpha1.ChangeWindow) { w.Spec.Type = v1alpha1.WindowEmergency }

// firebreak returns the user of the server in these tests.
func firebreak() authenticationv1.UserInfo {
	return authenticationv1.UserInfo{
		Username: "system:serviceaccount:" + own + ":firebreak", UID: "sa-1", Groups: []string{"system:serviceaccounts", "system:authenticated"},
		Extra: map[string]authenticationv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"JTI=1"}},
	}
}

// production is an environment with one member namespace; its persons are in group sre.
const production = `
apiVersion: firebreak.dev/v1alpha1
kind: Environment
metadata: {name: production, uid: e-1, generation: 7, creationTimestamp: "2026-01-01T00:00:00Z"}
spec: {tier: Production, namespaces: {names: [payments]}, identities: {groups: [sre]}}
---
apiVersion: v1
kind: Namespace
metadata: {name: payments}
---
`
