package cli

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// held is what holds state, and by whom it is owned.
type held struct {
	policy.Owned
	owners []types.UID
}

const claim = "PersistentVolumeClaim"

func (p *pieces) hold(u *unstructured.Unstructured) {
	h := held{Owned: policy.Owned{GroupVersionKind: u.GroupVersionKind(), Namespace: u.GetNamespace(), Name: u.GetName(), UID: u.GetUID(), Labels: u.GetLabels()}}
	for _, ref := range u.GetOwnerReferences() {
		h.owners = append(h.owners, ref.UID)
	}
	p.held = append(p.held, h)
}

func (p *pieces) owned(owner types.UID) []policy.Owned {
	var out []policy.Owned
	for _, h := range p.held {
		if slices.Contains(h.owners, owner) {
			out = append(out, h.Owned)
		}
	}
	return out
}

func (p *pieces) claim(namespace, name string) (policy.Owned, bool) {
	i := slices.IndexFunc(p.held, func(h held) bool { return h.Kind == claim && h.Namespace == namespace && h.Name == name })
	if i < 0 {
		return policy.Owned{}, false
	}
	return p.held[i].Owned, true
}
