package policy

import (
	"slices"

	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// known reports whether a rule could object to a target. Other targets are not kept while an object is read, so that a text of a million
// harmless names costs no memory.
func (c *PreparedRequest) known(t reference.Target) bool { return c.view.Known(c.req.Namespace)(t) }

// Known returns a function that reports whether a rule could object to a target that is named in a namespace.
func (w *ClusterView) Known(namespace string) func(reference.Target) bool {
	return func(t reference.Target) bool {
		switch t.Kind {
		case reference.Host:
			return w.leads(t, namespace) || t.Addr.IsValid() && w.holdsPod(t)
		case reference.Namespace, reference.Resource, reference.Instance:
			return w.leads(t, namespace)
		case reference.StorePath, reference.Role:
			return w.mindsAny(w.Estate.Credential(t), namespace)
		case reference.Secret:
			return t.Namespace != "" && t.Namespace != namespace || len(w.Estate.Credential(t)) > 0
		default:
			return true // an object holds few of these, and they are judged by other means than their names
		}
	}
}

func (w *ClusterView) leads(t reference.Target, from string) bool {
	r := w.Estate.Resolve(t, from)
	if w.mindsAny(r.Owners, from) {
		return true
	}
	for _, ns := range r.Namespaces {
		if w.minds(ns, from) {
			return true
		}
	}
	return w.minds(r.Namespace, from)
}

func (w *ClusterView) mindsAny(owners []estate.Owner, from string) bool {
	return slices.ContainsFunc(owners, func(o estate.Owner) bool { return w.Estate.Minds(from, o.Tier()) })
}

// minds reports whether a namespace, seen from another, exists or is claimed, and a rule could object to it.
func (w *ClusterView) minds(namespace, from string) bool {
	return namespace != "" && namespace != from && w.guards(namespace) && w.Estate.Minds(from, w.Estate.NamespaceOrName(namespace).Tier)
}

// guards reports whether a namespace exists, or is claimed by its name before it does.
func (w *ClusterView) guards(namespace string) bool {
	_, there := w.Estate.Namespace(namespace)
	return there || w.Estate.ClaimsName(namespace)
}

func (w *ClusterView) holdsPod(t reference.Target) bool {
	_, ok := w.PodAt(t.Addr)
	return ok
}
