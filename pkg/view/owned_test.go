package view_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

// An object that holds state is found by each of its owners, whatever its kind, until it is gone.
func TestOwned(t *testing.T) {
	v, w := seeing(
		`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {namespace: payments, name: data-0, uid: p-0, labels: {firebreak.dev/protected: "true"}, ownerReferences: [{uid: db-1}, {uid: set-1}]}}`,
		`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {namespace: payments, name: free, uid: p-1}}`,
		`{apiVersion: apps/v1, kind: StatefulSet, metadata: {namespace: payments, name: set, uid: set-1, ownerReferences: [{uid: db-1}]}, spec: {template: {spec: {containers: []}}}}`,
		`{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: payments, name: web, uid: web-1, ownerReferences: [{uid: db-1}]}, spec: {template: {spec: {containers: []}}}}`,
	)
	owned := func(by types.UID) []string {
		var out []string
		for _, o := range w.Dependents(by) {
			out = append(out, o.Kind+" "+o.Namespace+"/"+o.Name+" "+string(o.UID)+" "+o.Labels["firebreak.dev/protected"])
		}
		slices.Sort(out)
		return out
	}
	for by, want := range map[types.UID][]string{
		"db-1": {"PersistentVolumeClaim payments/data-0 p-0 true", "StatefulSet payments/set set-1 "}, "set-1": {"PersistentVolumeClaim payments/data-0 p-0 true"}, "none": nil,
	} {
		if diff := cmp.Diff(want, owned(by)); diff != "" {
			t.Errorf("what %s owns differs: %s", by, diff)
		}
	}
	if c, ok := w.VolumeClaim("payments", "data-0"); !ok || c.UID != "p-0" || c.Kind != "PersistentVolumeClaim" {
		t.Errorf("the claim is %+v (%t)", c, ok)
	}
	drop(v, "PersistentVolumeClaim", "payments/data-0")
	drop(v, "StatefulSet", "payments/set")
	if got := owned("db-1"); got != nil {
		t.Errorf("what is gone is still owned: %v", got)
	}
	if c, ok := w.VolumeClaim("payments", "data-0"); ok {
		t.Errorf("the claim that is gone is %+v", c)
	}
}
