package view

import (
	"fmt"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// A data store is kept as it is, apart from what it was decoded with: its texts lie in one piece, and what others say, too, is shared with them.
func TestDataStoresAreKeptApart(t *testing.T) {
	read := func(n int) *v1alpha1.DataStore {
		d := &v1alpha1.DataStore{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("orders-%d", n), UID: "5f0c8a52", Labels: map[string]string{"a": "b"}},
			Spec: v1alpha1.DataStoreSpec{
				Environment: "production", Hosts: make([]string, 0, 16), Services: []v1alpha1.ServiceReference{{Namespace: "payments", Name: "db"}},
				Credentials: &v1alpha1.Credentials{Secrets: []v1alpha1.Glob{"orders-*"}},
			},
		}
		d.Spec.Hosts = append(d.Spec.Hosts, fmt.Sprintf("a%d.example.com", n), fmt.Sprintf("b%d.example.com", n))
		d.Status.Conditions = []metav1.Condition{{Type: "Ready", Reason: "Compiled", Message: "the whole spec is in force"}}
		return d
	}
	v := New(Settings{}, time.Now)
	first, _ := v.dataStore(read(1))
	second, _ := v.dataStore(read(2))
	if diff := cmp.Diff(*read(1), first); diff != "" {
		t.Errorf("-read +kept:\n%s", diff)
	}
	if cap(first.Spec.Hosts) > 2 {
		t.Errorf("there is room for %d hosts", cap(first.Spec.Hosts))
	}
	address := func(s string) uintptr { return uintptr(unsafe.Pointer(unsafe.StringData(s))) }
	if a, b := first.Spec.Hosts[0], first.Spec.Hosts[1]; address(b) != address(a)+uintptr(len(a)) {
		t.Error("something lies between two hosts")
	}
	for name, pair := range map[string][2]string{
		"environment": {first.Spec.Environment, second.Spec.Environment}, "message": {first.Status.Conditions[0].Message, second.Status.Conditions[0].Message},
	} {
		if address(pair[0]) != address(pair[1]) {
			t.Errorf("there are two copies of the %s", name)
		}
	}
}

// What is made compact stays as it is, whatever it is made of.
func TestCompact(t *testing.T) {
	type inner struct {
		Texts []string
		Of    *string
		Map   map[string]string
		n     string
	}
	of := "pointed at"
	build := func() any {
		return &struct {
			A, B  string
			Inner []inner
			Nil   *inner
			Any   any
			N     int
		}{"a", "", []inner{{[]string{"x", "", "y"}, &of, map[string]string{"k": "v"}, "hidden"}, {}}, nil, "any", 7}
	}
	got := build()
	compact(reflect.ValueOf(got).Elem(), func(s string) (string, bool) { return s, s == "x" })
	if !reflect.DeepEqual(got, build()) {
		t.Errorf("%+v has become %+v", build(), got)
	}
}
