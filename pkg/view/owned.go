package view

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// held is the kept part of an object that holds state: its owners, and what protects it. In every cluster, claims and stateful
// sets hold state.
type held struct {
	policy.Dependent
	owners []types.UID
}

func heldOf(o *metav1.PartialObjectMetadata) held {
	return heldBy(corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim"), &o.ObjectMeta)
}

func heldBy(gvk schema.GroupVersionKind, o *metav1.ObjectMeta) held {
	h := held{Dependent: policy.Dependent{GroupVersionKind: gvk, Namespace: o.Namespace, Name: o.Name, UID: o.UID, Labels: o.Labels}}
	for _, ref := range o.OwnerReferences {
		h.owners = append(h.owners, ref.UID)
	}
	return h
}

// owned returns the objects that hold state and name an object as their owner. It looks at every claim and workload, since it
// is called only when something of production's is deleted.
func (v *View) owned(by types.UID) []policy.Dependent {
	var out []policy.Dependent
	v.claims.Each(func(_ string, h held) { out = h.ownedBy(by, out) })
	v.workloads.Each(func(_ string, o owner) {
		if o.held != nil {
			out = o.held.ownedBy(by, out)
		}
	})
	return out
}

func (h *held) ownedBy(by types.UID, all []policy.Dependent) []policy.Dependent {
	if slices.Contains(h.owners, by) {
		all = append(all, h.Dependent)
	}
	return all
}

func (v *View) claim(namespace, name string) (policy.Dependent, bool) {
	h, ok := v.claims.Get(namespace + "/" + name)
	return h.Dependent, ok
}

// pinnedBy returns the executions that were admitted with the content of a ConfigMap, and are not known to have ended. It looks at every
// execution, since it is called only when a ConfigMap of production's changes.
func (v *View) pinnedBy(namespace, configMap string) []v1alpha1.ChangeExecution {
	var out []v1alpha1.ChangeExecution
	v.Executions.Each(func(_ string, x v1alpha1.ChangeExecution) {
		if x.Spec.Object.Namespace == namespace && slices.Contains(x.Spec.ConfigMaps, configMap) && x.Status.FinishedAt == nil && !x.Released() {
			out = append(out, x)
		}
	})
	slices.SortFunc(out, func(a, b v1alpha1.ChangeExecution) int { return strings.Compare(a.Name, b.Name) })
	return out
}
