package controller

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/firebreak-dev/firebreak/pkg/scheme"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// objectsOfACluster returns the objects of testdata/cluster.yaml: at least one of every kind that a view keeps.
func objectsOfACluster(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "cluster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var out []*unstructured.Unstructured
	for d := utilyaml.NewYAMLOrJSONDecoder(f, 4096); ; {
		u := &unstructured.Unstructured{}
		if err := d.Decode(&u.Object); err != nil {
			return out
		}
		out = append(out, u)
	}
}

// listsFirst is a client whose server sends only changes with a watch, like the fake client's.
type listsFirst struct{ client.WithWatch }

func (c listsFirst) Watch(ctx context.Context, list client.ObjectList, opts ...client.ListOption) (watch.Interface, error) {
	var o client.ListOptions
	if raw := o.ApplyOptions(opts).Raw; raw != nil && raw.SendInitialEvents != nil {
		return nil, apierrors.NewInvalid(schema.GroupKind{Kind: "ListOptions"}, "", field.ErrorList{field.Forbidden(field.NewPath("sendInitialEvents"), "not here")})
	}
	return c.WithWatch.Watch(ctx, list, opts...)
}

// Watches and a command that reads result in the same view, field by field: the webhook and check judge alike.
func TestWatchedAndReadAreTheSame(t *testing.T) {
	s, err := scheme.New()
	if err != nil {
		t.Fatal(err)
	}
	settings := view.Settings{Cluster: "prod-eu-1", Namespace: "firebreak-system", ServiceAccount: "firebreak", ReadSecrets: true}
	at := time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)
	clock := func() time.Time { return at }
	read := view.New(settings, clock)
	seen := map[string]bool{}
	var objects []client.Object
	for _, u := range objectsOfACluster(t) {
		for _, k := range read.Kinds() {
			if k.GroupVersionKind == u.GroupVersionKind() {
				seen[k.Name] = true
			}
		}
		typed, err := s.New(u.GroupVersionKind())
		if err != nil {
			t.Fatal(err)
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, typed); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, typed.(client.Object))
		u.SetResourceVersion("999") // as the API server of this test counts
		if err := read.Add(u); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range read.Kinds() {
		if !seen[k.Name] {
			t.Errorf("testdata/cluster.yaml has none of the %s", k.Name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m := NewCache(listsFirst{fake.NewClientBuilder().WithScheme(s).WithObjects(objects...).Build()}, settings, clock, logr.Discard())
	for _, r := range m.Runnables() {
		go func() { _ = r.Start(ctx) }()
	}
	for deadline := time.Now().Add(time.Minute); !m.Synced(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the memory is not ready within a minute")
		}
	}
	for name, want := range read.Tables() {
		if got := m.view.Tables()[name]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: watched %+v, read %+v", name, got, want)
		}
	}
}
