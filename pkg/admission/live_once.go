package admission

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/budget"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// Role implements Live.
func (r *Reader) Role(ctx context.Context, namespace, name string) (*policy.Role, error) {
	var out policy.Role
	var err error
	if namespace == "" {
		var role rbacv1.ClusterRole
		err = r.client.Get(ctx, client.ObjectKey{Name: name}, &role)
		out = policy.RoleOf(&role)
	} else {
		var role rbacv1.Role
		err = r.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &role)
		out.Rules = role.Rules
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("get role %q: %w", name, err)
	}
	return &out, nil
}

// NamespaceLabels implements Live.
func (r *Reader) NamespaceLabels(ctx context.Context, name string) (map[string]string, bool, error) {
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := r.client.Get(ctx, client.ObjectKey{Name: name}, ns)
	if apierrors.IsNotFound(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("get namespace %q: %w", name, err)
	}
	return ns.Labels, true, nil
}

// ControllerUID implements Live. An account that does not exist is remembered as such, so that it is asked for once.
func (r *Reader) ControllerUID(ctx context.Context, name string) error {
	sa := &metav1.PartialObjectMetadata{}
	sa.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ServiceAccount"))
	err := r.client.Get(ctx, client.ObjectKey{Namespace: metav1.NamespaceSystem, Name: name}, sa)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("get service account kube-system/%s: %w", name, err)
	}
	r.remember(name, string(sa.UID))
	return nil
}

// Contents implements Live. What does not exist names nothing.
func (r *Reader) Contents(ctx context.Context, namespace string, of []reference.Via, known func(reference.Target) bool) (map[reference.Via]reference.Contents, error) {
	out := make(map[reference.Via]reference.Contents, len(of))
	b := budget.New()
	for _, v := range of {
		key := client.ObjectKey{Namespace: namespace, Name: v.Name}
		var err error
		if v.Kind == "Secret" {
			var s corev1.Secret
			if err = r.client.Get(ctx, key, &s); err == nil {
				out[v] = reference.ReadSecret(&s, b, known)
			}
		} else {
			var cm corev1.ConfigMap
			if err = r.client.Get(ctx, key, &cm); err == nil {
				out[v] = reference.ReadConfigMap(&cm, b, known)
			}
		}
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("get %s %s: %w", v.Kind, key, err)
		}
		if apierrors.IsNotFound(err) {
			out[v] = reference.Contents{}
		}
	}
	return out, nil
}

// Owner implements Live. A kind that is not served, or that Firebreak may not read, is no failure: others have judged it when it
// was written.
func (r *Reader) Owner(ctx context.Context, namespace string, ref metav1.OwnerReference) (*policy.OwnerObject, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind))
	err := r.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: ref.Name}, u)
	switch {
	case apierrors.IsNotFound(err):
		return &policy.OwnerObject{}, nil
	case apierrors.IsForbidden(err), meta.IsNoMatchError(err):
		return &policy.OwnerObject{Unreadable: true}, nil
	case err != nil:
		return nil, fmt.Errorf("get %s %q: %w", ref.Kind, ref.Name, err)
	}
	raw, err := u.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("encode %s %q: %w", ref.Kind, ref.Name, err)
	}
	return &policy.OwnerObject{JSON: raw}, nil
}

// Scale implements Live.
func (r *Reader) Scale(ctx context.Context, namespace string, of policy.ScaleTarget) (*policy.TargetScale, error) {
	return view.Scale(ctx, r.client, namespace, of)
}
