package controller

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// held is what is kept of what holds state: whose it is, and what protects it.
type held struct {
	policy.Owned
	owners []types.UID
}

// heldMirrors watch what holds state in every cluster: claims and stateful sets.
func heldMirrors(c client.WithWatch) []*mirror[held] {
	return []*mirror[held]{
		heldMirror(c, "claims", corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim")),
		heldMirror(c, "stateful sets that hold state", appsv1.SchemeGroupVersion.WithKind("StatefulSet")),
	}
}

func heldMirror(c client.WithWatch, name string, gvk schema.GroupVersionKind) *mirror[held] {
	return metadataMirror(c, name, gvk, func(o *metav1.PartialObjectMetadata) held {
		h := held{Owned: policy.Owned{GroupVersionKind: gvk, Namespace: o.Namespace, Name: o.Name, UID: o.UID, Labels: o.Labels}}
		for _, ref := range o.OwnerReferences {
			h.owners = append(h.owners, ref.UID)
		}
		return h
	}, func() {})
}

// owned returns what holds state and names an owner. It looks at every claim: it is asked when something of production's
// is deleted.
func (m *Memory) owned(owner types.UID) []policy.Owned {
	var out []policy.Owned
	for _, kind := range m.held {
		kind.each(func(h held) {
			if slices.Contains(h.owners, owner) {
				out = append(out, h.Owned)
			}
		})
	}
	return out
}

func (m *Memory) claim(namespace, name string) (policy.Owned, bool) {
	h, ok := m.held[0].get(namespace + "/" + name)
	return h.Owned, ok
}
