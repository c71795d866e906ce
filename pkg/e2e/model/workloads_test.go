package model

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
)

func jobOf(name, plan string, suspended bool) *batchv1.Job {
	j := fixture.Job(name)
	if plan == "b" {
		j.Spec.Template.Spec.Containers[0].Args = append(j.Spec.Template.Spec.Containers[0].Args, "--dbname", "ledger")
	}
	if suspended {
		j.Spec.Suspend = &suspended
	}
	return j
}

// deploymentOf returns a Deployment that is maintenance. It wants no Pods, so that nothing but the steps happens.
func deploymentOf(name, plan string) *appsv1.Deployment {
	labels, none := map[string]string{"app": name}, int32(0)
	d := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: payments},
		Spec: appsv1.DeploymentSpec{
			Replicas: &none, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: jobOf(name, plan, false).Spec.Template.Spec},
		},
	}
	d.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyAlways
	if plan == first {
		d.Spec.Template.Spec.Containers[0].Args = append(d.Spec.Template.Spec.Containers[0].Args, "--dbname", "archive")
	}
	return d
}

// warehouseOf returns the second environment of production, whose members are the others of the first but one.
func warehouseOf() *v1alpha1.Environment {
	e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: warehouse}}
	e.SetGroupVersionKind(v1alpha1.GVK(v1alpha1.KindEnvironment))
	e.Spec = v1alpha1.EnvironmentSpec{Tier: v1alpha1.TierProduction, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{depot}}}
	for _, p := range members() {
		if p != onlyPayments {
			e.Spec.Identities.Users = append(e.Spec.Identities.Users, v1alpha1.Glob(p))
		}
	}
	return e
}
