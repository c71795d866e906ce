package ownrbac

import (
	"testing"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// doesScan makes a report of a namespace in which nothing is wrong, and takes away that of the cluster, in which something is.
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
	return func() bool {
		return apierrors.IsNotFound(people.Admin.Get(t.Context(), client.ObjectKeyFromObject(stale), stale.DeepCopy())) &&
			people.Admin.Get(t.Context(), client.ObjectKeyFromObject(whole), whole.DeepCopy()) == nil
	}
}
