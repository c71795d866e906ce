package policy

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/budget"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// References returns everything that an object names, before anything is declared: what stands where such a name stands, and not only what an estate
// knows. Its error says that the object cannot be read, or holds too much.
func References(gvk schema.GroupVersionKind, namespace string, raw []byte) ([]reference.Reference, error) {
	b := budget.New()
	o, err := decode(gvk.GroupKind(), raw, whole(&Request{Kind: gvk}), b)
	if err != nil || o == nil {
		return nil, err
	}
	in := reference.Input{Namespace: namespace, Kind: gvk.GroupKind(), Budget: b, Data: o.data, Object: o.tree, Embedded: o.embedded, Annotations: o.meta.Annotations}
	if o.work != nil {
		in.Template = &o.work.Template
	}
	found := reference.ExtractAll(in)
	if found.Limit != "" {
		return nil, tooMuch(found.Limit)
	}
	return found.References, nil
}
