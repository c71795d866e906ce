package view

import (
	"context"
	"fmt"
	"slices"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/budget"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// Client reads from the API server. It must not read from a cache.
type Client interface {
	client.Reader
	client.SubResourceClientConstructor
}

// Read reads the missing facts of a request from the API server, into f. ControllerUID reads the UIDs of controllers.
func Read(ctx context.Context, c Client, m *policy.Missing, w *policy.ClusterView, f *policy.Facts) (err error) {
	switch {
	case m.Namespace != "":
		f.NamespaceLabels, err = namespaceLabels(ctx, c, m.Namespace)
		f.NamespaceRead = err == nil
	case m.Role != nil:
		f.Role, err = readRole(ctx, c, m.Role)
		f.RoleRead = err == nil
	case m.Contents != nil:
		f.Contents, err = readContents(ctx, c, m.Contents, w.Known(m.Contents.Namespace))
	case m.Owner != nil:
		f.Owner, err = readOwner(ctx, c, m.Owner)
	case m.Scale != nil:
		f.Scale, err = readScale(ctx, c, m.Scale)
	case m.Runs != nil:
		f.Running, err = Running(ctx, c, m.Runs)
		f.RunsRead = err == nil
	default:
		err = fmt.Errorf("nothing reads that %s", m)
	}
	return err
}

// Running returns the UIDs of those runs that exist and have not ended. What is not a Job or a Pod never ends.
func Running(ctx context.Context, c client.Reader, runs []v1alpha1.ExecutedObject) ([]types.UID, error) {
	var out []types.UID
	for _, x := range runs {
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(schema.GroupVersionKind{Group: x.Group, Version: x.Version, Kind: x.Kind})
		err := c.Get(ctx, client.ObjectKey{Namespace: x.Namespace, Name: x.Name}, u)
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return nil, fmt.Errorf("get %s %q: %w", x.Kind, x.Name, err)
		case u.GetUID() == x.UID && !ended(u):
			out = append(out, x.UID)
		}
	}
	return out, nil
}

// ended reports whether a Job or Pod will start nothing any more.
func ended(u *unstructured.Unstructured) bool {
	phase, _, _ := unstructured.NestedString(u.Object, "status", "phase")
	if phase == string(corev1.PodSucceeded) || phase == string(corev1.PodFailed) {
		return true
	}
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	return slices.ContainsFunc(conditions, func(c any) bool {
		m, _ := c.(map[string]any)
		return (m["type"] == string(batchv1.JobComplete) || m["type"] == string(batchv1.JobFailed)) && m["status"] == "True"
	})
}

// readRole returns nil for a role that does not exist.
func readRole(ctx context.Context, c Client, m *policy.MissingRole) (*policy.Role, error) {
	var out policy.Role
	var err error
	if m.Namespace == "" {
		var role rbacv1.ClusterRole
		err = c.Get(ctx, client.ObjectKey{Name: m.Name}, &role)
		out = policy.RoleOf(&role)
	} else {
		var role rbacv1.Role
		err = c.Get(ctx, client.ObjectKey{Namespace: m.Namespace, Name: m.Name}, &role)
		out.Rules = role.Rules
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("get role %q: %w", m.Name, err)
	}
	return &out, nil
}

// namespaceLabels returns no labels for a namespace that does not exist.
func namespaceLabels(ctx context.Context, c Client, name string) (map[string]string, error) {
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := c.Get(ctx, client.ObjectKey{Name: name}, ns); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("get namespace %q: %w", name, err)
	}
	return ns.Labels, nil
}

// ControllerUID reads the UID of a service account of kube-system. It returns an empty string if there is none.
func ControllerUID(ctx context.Context, c client.Reader, name string) (string, error) {
	sa := &metav1.PartialObjectMetadata{}
	sa.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ServiceAccount"))
	if err := c.Get(ctx, client.ObjectKey{Namespace: metav1.NamespaceSystem, Name: name}, sa); client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("get service account kube-system/%s: %w", name, err)
	}
	return string(sa.UID), nil
}

// readContents reads ConfigMaps and Secrets for the targets that they name, as far as known tells that these matter. An
// object that does not exist names nothing.
func readContents(ctx context.Context, c Client, m *policy.MissingContents, known func(reference.Target) bool) (map[reference.Via]reference.Contents, error) {
	out := make(map[reference.Via]reference.Contents, len(m.Of))
	b := budget.New()
	for _, v := range m.Of {
		key := client.ObjectKey{Namespace: m.Namespace, Name: v.Name}
		var err error
		if v.Kind == "Secret" {
			var s corev1.Secret
			if err = c.Get(ctx, key, &s); err == nil {
				out[v] = reference.ReadSecret(&s, b, known)
			}
		} else {
			var cm corev1.ConfigMap
			if err = c.Get(ctx, key, &cm); err == nil {
				out[v] = reference.ReadConfigMap(&cm, b, known)
			}
		}
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("get %s %s: %w", v.Kind, key, err)
		}
		if err != nil {
			out[v] = reference.Contents{}
		}
	}
	return out, nil
}

// readOwner reads a custom resource. A kind that is not served, or that Firebreak may not read, is not an error: the resource
// was judged when it was written.
func readOwner(ctx context.Context, c Client, m *policy.MissingOwner) (*policy.OwnerObject, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(schema.FromAPIVersionAndKind(m.APIVersion, m.Kind))
	err := c.Get(ctx, client.ObjectKey{Namespace: m.Namespace, Name: m.Name}, u)
	switch {
	case apierrors.IsNotFound(err):
		return &policy.OwnerObject{}, nil
	case apierrors.IsForbidden(err), meta.IsNoMatchError(err):
		return &policy.OwnerObject{Unreadable: true}, nil
	case err != nil:
		return nil, fmt.Errorf("get %s %q: %w", m.Kind, m.Name, err)
	}
	raw, err := u.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("encode %s %q: %w", m.Kind, m.Name, err)
	}
	return &policy.OwnerObject{JSON: raw}, nil
}

// readScale reads how many replicas a workload asks for. A workload that does not exist, or cannot be scaled, runs nothing
// that an autoscaler could take away. The scale of a kind that is not served in this version is unknown.
func readScale(ctx context.Context, c Client, m *policy.MissingScale) (*policy.TargetScale, error) {
	u, scale := &unstructured.Unstructured{}, &unstructured.Unstructured{}
	u.SetGroupVersionKind(schema.FromAPIVersionAndKind(m.APIVersion, m.Kind))
	u.SetNamespace(m.Namespace)
	u.SetName(m.Name)
	scale.SetGroupVersionKind(autoscalingv1.SchemeGroupVersion.WithKind("Scale"))
	err := c.SubResource("scale").Get(ctx, u, scale)
	switch {
	case apierrors.IsNotFound(err):
		return &policy.TargetScale{}, nil
	case apierrors.IsForbidden(err), meta.IsNoMatchError(err): // autoscalers ask for the kind in any version that is served
		return &policy.TargetScale{Unreadable: true}, nil
	case err != nil:
		return nil, fmt.Errorf("get the scale of %s %q: %w", m.Kind, m.Name, err)
	}
	n, _, err := unstructured.NestedInt64(scale.Object, "spec", "replicas")
	if err != nil {
		return nil, fmt.Errorf("read the scale of %s %q: %w", m.Kind, m.Name, err)
	}
	return &policy.TargetScale{Replicas: n}, nil
}
