package ownrbac

import (
	"testing"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// doesScan makes a report of a namespace in which nothing is wrong, has another name a data store that is declared afterwards, and takes the report of the
// cluster away.
func doesScan(t *testing.T) func() bool {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fresh("scanned")}}
	stale := &openreports.Report{ObjectMeta: metav1.ObjectMeta{Name: "firebreak", Namespace: ns.Name, Labels: map[string]string{"app.kubernetes.io/managed-by": "firebreak"}}, Source: "firebreak"}
	whole := &openreports.ClusterReport{ObjectMeta: metav1.ObjectMeta{Name: "firebreak"}}
	if err := people.Admin.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	if err := people.Admin.Create(t.Context(), stale); err != nil {
		t.Fatal(err)
	}
	if err := people.Admin.Delete(t.Context(), whole); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	host := fresh("scanned") + ".example.com"
	names := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fresh("scanned"), Namespace: "dev"}, Data: map[string]string{"DB_HOST": host}}
	later := &v1alpha1.DataStore{ObjectMeta: metav1.ObjectMeta{Name: fresh("scanned")}, Spec: v1alpha1.DataStoreSpec{Environment: "production", Hosts: []string{host}}}
	for _, o := range []client.Object{names, later} {
		if err := people.SRE.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	first := int64(0)
	return func() bool {
		r := &openreports.Report{}
		if people.Admin.Get(t.Context(), client.ObjectKey{Namespace: "dev", Name: "firebreak"}, r) != nil {
			return false
		}
		if first == 0 {
			first = r.Generation
		}
		if r.Generation == first { // it is not written again yet
			return false
		}
		return apierrors.IsNotFound(people.Admin.Get(t.Context(), client.ObjectKeyFromObject(stale), stale.DeepCopy())) &&
			people.Admin.Get(t.Context(), client.ObjectKeyFromObject(whole), whole.DeepCopy()) == nil
	}
}
