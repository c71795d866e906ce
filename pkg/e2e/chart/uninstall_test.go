package chart

import (
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
	"github.com/firebreak-dev/firebreak/pkg/snapshot"
)

// After an uninstallation, Firebreak is gone: no webhook stays behind that would refuse everything. Declared objects and the record
// stay. This test comes last, since nothing is judged afterwards.
func TestUninstallLeavesNoWebhookAndAllData(t *testing.T) {
	p, ctx := fixture.Everybody(t, the), t.Context()
	w, err := p.Approved(ctx, "farewell", "farewell-", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.SRE.Create(ctx, fixture.Job("farewell-1")); err != nil {
		t.Fatal(err)
	}
	if _, err := the.Helm(ctx, "uninstall", "firebreak", "-n", stage.Namespace, "--wait", "--timeout=60s"); err != nil {
		t.Fatal(err)
	}
	gone := func(when string) {
		t.Helper()
		var v admissionregistrationv1.ValidatingWebhookConfigurationList
		var m admissionregistrationv1.MutatingWebhookConfigurationList
		for _, err := range []error{p.Admin.List(ctx, &v), p.Admin.List(ctx, &m)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if n := len(v.Items) + len(m.Items); n > 0 {
			t.Errorf("%s: %d webhook configurations are there", when, n)
		}
	}
	gone("at once")
	time.Sleep(30 * time.Second) // a replica that would restore it looks every ten
	gone("after half a minute")
	for _, name := range snapshot.Names() {
		if err := p.Admin.Get(ctx, client.ObjectKey{Namespace: stage.Namespace, Name: name}, &corev1.ConfigMap{}); !apierrors.IsNotFound(err) {
			t.Errorf("%s is there: %v", name, err) // another installation would take it for what was known the last time
		}
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "free-", Namespace: "dev"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "x", Args: []string{"--host=orders.prod.db.example.com"}}}},
	}
	if err := p.Developer.Create(ctx, pod); err != nil {
		t.Errorf("somebody still judges: %v", err)
	}
	var environments v1alpha1.EnvironmentList
	if err := p.Admin.List(ctx, &environments); err != nil || len(environments.Items) < 3 {
		t.Errorf("%d environments are left: %v", len(environments.Items), err)
	}
	if used, err := p.Executions(ctx, w); err != nil || len(used) != 1 {
		t.Errorf("%d executions are left: %v", len(used), err)
	}
}
