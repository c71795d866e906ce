package cli

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// viewOf returns an empty view of the cluster, as a server with the same settings has it.
func viewOf(o *checkOptions, clock func() time.Time) *view.View {
	return view.New(view.Settings{
		Cluster: o.cluster, DefaultEnvironment: o.defaultEnv, Namespace: o.home, ServiceAccount: "firebreak", ReadSecrets: o.readSecrets,
	}, clock)
}

// compile adds the objects to the view and the change state, and keeps each as the object before an update.
func (k *snapshot) compile(objects []*unstructured.Unstructured, o *checkOptions, at time.Time) error {
	k.state = &change.State{ConfigMaps: map[string]map[string][]byte{}}
	v := viewOf(o, func() time.Time { return k.at })
	k.at, k.built = at, v
	for _, u := range inOrder(v, objects) {
		switch err := k.take(u); {
		case err == nil:
			k.stored = append(k.stored, u)
		case k.unreadable == nil:
			return err
		default:
			k.unreadable(u, err)
		}
	}
	k.anyController = k.self == nil || o.as != ""
	k.recompile()
	return nil
}

// take adds one object.
func (k *snapshot) take(u *unstructured.Unstructured) error {
	if err := k.keep(u); err != nil {
		return err
	}
	if err := k.built.Add(u); err != nil {
		return err
	}
	if err := k.sort(u); err != nil {
		return fmt.Errorf("read %s %q: %w", u.GetKind(), u.GetName(), err)
	}
	return nil
}

// decide decides a request as the server does: with the change state only if it needs any of it.
func (k *snapshot) decide(c *policy.PreparedRequest, s func(*change.State)) *policy.Decision {
	if !c.LiveReads().Any() {
		return c.Decide(nil)
	}
	state := k.stateOf(c)
	if s != nil {
		s(state)
	}
	return c.Decide(state)
}

// stateOf returns the part of the change state that counts for a request, as the server reads it: windows lie in its namespace, in Firebreak's own, or in
// that of the window that it is about.
func (k *snapshot) stateOf(c *policy.PreparedRequest) *change.State {
	req, needs := c.Request(), c.LiveReads()
	here := []string{k.view.Estate.FirebreakNamespace, req.Namespace}
	if needs.WindowName != "" {
		here = append(here, needs.WindowNamespace)
	}
	s := *k.state
	s.Windows, s.OtherWindows = nil, nil
	for i := range k.state.Windows {
		if w := k.state.Windows[i]; slices.Contains(here, w.Namespace) {
			s.Windows = append(s.Windows, w)
		} else {
			s.OtherWindows = append(s.OtherWindows, w)
		}
	}
	return &s
}

// recompile makes the view again after what it is built from has changed.
func (k *snapshot) recompile() {
	k.view = k.built.ClusterView(k.built.Compile())
	if k.anyController {
		k.view.ControllerUID = func(string) (string, bool) { return genuine, true }
	}
}

// inOrder sorts objects in the order of the view's kinds: the view reduces some kinds by the objects of others.
func inOrder(v *view.View, objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	place := map[schema.GroupVersionKind]int{}
	for i, kind := range v.Kinds() {
		place[kind.GroupVersionKind] = i
	}
	out := slices.Clone(objects)
	slices.SortStableFunc(out, func(a, b *unstructured.Unstructured) int {
		return cmp.Compare(place[a.GroupVersionKind()], place[b.GroupVersionKind()])
	})
	return out
}

// sort takes in what the view does not keep: the change state, the contents of ConfigMaps and Secrets, and the subjects of
// bindings.
func (k *snapshot) sort(u *unstructured.Unstructured) error {
	switch u.GroupVersionKind() {
	case v1alpha1.GVK(v1alpha1.KindChangeWindow):
		return appendTo(&k.state.Windows, u)
	case v1alpha1.GVK(v1alpha1.KindChangeDelegation):
		return appendTo(&k.state.Delegations, u)
	case v1alpha1.GVK(v1alpha1.KindChangeApproval):
		return appendTo(&k.state.Approvals, u)
	case v1alpha1.GVK(v1alpha1.KindChangeExecution):
		return appendTo(&k.state.Executions, u)
	case v1alpha1.GVK(v1alpha1.KindChangeFreeze):
		return appendTo(&k.state.Freezes, u)
	case corev1.SchemeGroupVersion.WithKind("ConfigMap"):
		return with(u, func(cm *corev1.ConfigMap) {
			k.state.ConfigMaps[cm.Namespace+"/"+cm.Name] = change.ConfigMapContent(cm)
			k.large[largeOf(u)] = func(known func(reference.Target) bool) reference.Contents {
				return reference.ReadConfigMap(cm, nil, known)
			}
		})
	case corev1.SchemeGroupVersion.WithKind("Secret"):
		return with(u, func(s *corev1.Secret) {
			k.large[largeOf(u)] = func(known func(reference.Target) bool) reference.Contents {
				return reference.ReadSecret(s, nil, known)
			}
		})
	case rbac("RoleBinding"), rbac("ClusterRoleBinding"):
		return with(u, k.bind)
	}
	return k.define(u)
}

func largeOf(u *unstructured.Unstructured) large {
	return large{reference.Via{Kind: u.GetKind(), Name: u.GetName()}, u.GetNamespace()}
}

// bind records the service accounts of a binding. A ClusterRoleBinding has the same fields.
func (k *snapshot) bind(b *rbacv1.RoleBinding) {
	for _, s := range b.Subjects {
		if s.Kind == rbacv1.ServiceAccountKind {
			k.accounts[types.NamespacedName{Namespace: cmp.Or(s.Namespace, b.Namespace), Name: s.Name}] = true
		}
	}
}

func with[T any](u *unstructured.Unstructured, use func(*T)) error {
	var v T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &v); err != nil {
		return err
	}
	use(&v)
	return nil
}

func appendTo[T any](list *[]T, u *unstructured.Unstructured) error {
	return with(u, func(v *T) { *list = append(*list, *v) })
}
