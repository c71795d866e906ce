package view

import (
	"context"
	"fmt"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// Scale reads how many replicas the workload asks for that an autoscaler scales. What is not there, or cannot be scaled, runs nothing
// that an autoscaler could take away.
func Scale(ctx context.Context, c client.SubResourceClientConstructor, namespace string, of policy.ScaleTarget) (*policy.TargetScale, error) {
	u, scale := &unstructured.Unstructured{}, &unstructured.Unstructured{}
	u.SetGroupVersionKind(schema.FromAPIVersionAndKind(of.APIVersion, of.Kind))
	u.SetNamespace(namespace)
	u.SetName(of.Name)
	scale.SetGroupVersionKind(autoscalingv1.SchemeGroupVersion.WithKind("Scale"))
	err := c.SubResource("scale").Get(ctx, u, scale)
	switch {
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return &policy.TargetScale{}, nil
	case apierrors.IsForbidden(err):
		return &policy.TargetScale{Unreadable: true}, nil
	case err != nil:
		return nil, fmt.Errorf("get the scale of %s %q: %w", of.Kind, of.Name, err)
	}
	n, _, err := unstructured.NestedInt64(scale.Object, "spec", "replicas")
	if err != nil {
		return nil, fmt.Errorf("read the scale of %s %q: %w", of.Kind, of.Name, err)
	}
	return &policy.TargetScale{Replicas: n}, nil
}
