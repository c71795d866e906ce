package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// Read implements policy.Reader. It looks among the objects that were given and checked, and in the cluster. Nothing else can be
// read: a role may hold any permission, and a namespace is judged by its name alone, if that decides. All namespaces of a
// cluster were read, so one that is not among them does not exist.
func (k *snapshot) Read(ctx context.Context, m *policy.Missing, w *policy.ClusterView, f *policy.Facts) error {
	switch {
	case m.Namespace != "":
		return k.named(m.Namespace, f)
	case m.Role != nil:
		f.RoleRead = true
		if r, ok := k.roles[view.Qualified(m.Role.Namespace, m.Role.Name)]; ok {
			f.Role = &r
		}
	case m.Contents != nil:
		f.Contents = map[reference.Via]reference.Contents{}
		for _, v := range m.Contents.Of {
			if read, ok := k.large[large{v, m.Contents.Namespace}]; ok {
				f.Contents[v] = read(w.Known(m.Contents.Namespace))
			}
		}
	case k.cluster != nil && m.Controller == "":
		return view.Read(ctx, k.cluster, m, w, f)
	case m.Owner != nil:
		gk := schema.FromAPIVersionAndKind(m.Owner.APIVersion, m.Owner.Kind).GroupKind()
		raw, there := k.objects[objectKey(gk, m.Owner.Namespace, m.Owner.Name)]
		f.Owner = &policy.OwnerObject{JSON: raw, Unreadable: !there}
	case m.Scale != nil:
		f.Scale = k.scale(m.Scale)
	default:
		return fmt.Errorf("%s", m)
	}
	return nil
}

// named has a namespace that is not stored judged by the labels that it gets with the manifests to check, else by its name. That decides nothing where environments claim namespaces by labels, and none claims this
// one by name.
func (k *snapshot) named(namespace string, f *policy.Facts) error {
	if l, given := k.labels[namespace]; given {
		f.NamespaceLabels, f.NamespaceRead = l, true
		return nil
	}
	environment := k.view.Estate.Selecting()
	if k.cluster == nil && environment != "" && len(k.view.Estate.NamespaceOrName(namespace).Environments) == 0 {
		return fmt.Errorf("environment %q claims namespaces by their labels, and those of namespace %q are not known; give the namespace with --namespaces FILE, as kubectl get namespaces -o yaml prints it",
			environment, namespace)
	}
	f.NamespaceRead = true
	return nil
}

// scale reads how many replicas a given object asks for. It is zero for an object that was not given.
func (k *snapshot) scale(m *policy.MissingScale) *policy.TargetScale {
	gk := schema.FromAPIVersionAndKind(m.APIVersion, m.Kind).GroupKind()
	raw, there := k.objects[objectKey(gk, m.Namespace, m.Name)]
	if !there {
		return &policy.TargetScale{}
	}
	var o struct {
		Spec struct {
			Replicas *int64 `json:"replicas"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(raw, &o); err != nil || o.Spec.Replicas == nil {
		return &policy.TargetScale{Unreadable: true}
	}
	return &policy.TargetScale{Replicas: *o.Spec.Replicas}
}
