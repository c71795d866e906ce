package ownrbac

import (
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
)

// autoscaled creates a custom resource of ten replicas and an autoscaler for it that allows more.
func autoscaled(t *testing.T) (name string) {
	t.Helper()
	name = fresh("scaled")
	w := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "argoproj.io/v1", "kind": "Workflow", "metadata": map[string]any{"name": name, "namespace": fixture.Production},
		"spec": map[string]any{"replicas": int64(10), "selector": "a=b"},
	}}
	if err := operator.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	return name
}

func bounded(name string, most int32) *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: fixture.Production},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "argoproj.io/v1", Kind: "Workflow", Name: name}, MaxReplicas: most,
		},
	}
}

// doesMeasure lets Kubernetes' autoscaler see ten replicas, and then four: Firebreak refuses fewer than half of the ten.
func doesMeasure(t *testing.T) func() bool {
	name := autoscaled(t)
	hpa := bounded(name, 20)
	if err := people.SRE.Create(t.Context(), hpa); err != nil {
		t.Fatal(err)
	}
	sees := func(n int32) func() bool {
		return func() bool {
			if err := people.Admin.Get(t.Context(), client.ObjectKeyFromObject(hpa), hpa); err != nil {
				t.Fatal(err)
			}
			return hpa.Status.CurrentReplicas == n
		}
	}
	await.True(t, "the autoscaler sees ten", sees(10))
	w := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "argoproj.io/v1", "kind": "Workflow", "metadata": map[string]any{"name": name, "namespace": fixture.Production}}}
	if err := operator.Patch(t.Context(), w, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":4}}`))); err != nil {
		t.Fatal(err)
	}
	await.True(t, "the autoscaler sees four", sees(4))
	return func() bool {
		hpa.Spec.MaxReplicas = 4
		err := people.SRE.Update(t.Context(), hpa)
		return err != nil && strings.Contains(err.Error(), "at most 4 run where 10 did")
	}
}

// doesScale shows that Firebreak says how many replicas run if an autoscaler is to run fewer.
func doesScale(t *testing.T) func() bool {
	err := people.SRE.Create(t.Context(), bounded(autoscaled(t), 1))
	return func() bool { return err != nil && strings.Contains(err.Error(), "at most 1 run where 10 did") }
}
