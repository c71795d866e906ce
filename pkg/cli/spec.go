package cli

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// specPlan returns the plan of an object of Firebreak's own kinds.
func specPlan(u *unstructured.Unstructured) (*change.Plan, error) {
	spec, _, err := unstructured.NestedMap(u.Object, "spec")
	if err != nil {
		return nil, fmt.Errorf("read the spec of %s %q: %w", u.GetKind(), u.GetName(), err)
	}
	return change.SpecPlan(u.GetKind(), spec), nil
}

// storedSpec returns the plan of the object of Firebreak's own kinds that exists under the name of an entry.
func (s *screen) storedSpec(ctx context.Context, p *v1alpha1.PlannedWorkload) (string, *v1alpha1.PlannedWorkload) {
	var u unstructured.Unstructured
	u.SetGroupVersionKind(v1alpha1.GVK(p.Kind))
	err := s.c.Get(ctx, client.ObjectKey{Name: string(p.Names[0])}, &u)
	switch {
	case apierrors.IsNotFound(err):
		return "nothing of that name exists", nil
	case err != nil:
		return fmt.Sprintf("what is stored cannot be read: %v", err), nil
	}
	stored, err := specPlan(&u)
	if err != nil {
		return fmt.Sprintf("what is stored cannot be read: %v", err), nil
	}
	by := stored.By(p.Digest)
	if by == nil {
		return "what is stored cannot be compared", nil
	}
	return "what is stored", &v1alpha1.PlannedWorkload{ScopedResource: p.ScopedResource, Digest: by.Digest, Fields: by.Fields}
}
