package estate

import (
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// clusterDomain is the DNS suffix behind `svc`. Services are also found without it.
const clusterDomain = "cluster.local"

// Resolution is what a target leads to.
type Resolution struct {
	// Owners are the data stores that own it.
	Owners []Owner
	// Service, Namespace: the Service that a host names; the Service is empty where only a namespace is known.
	Service, Namespace string
	// Namespaces that the target is about, where it names some by a pattern or by their labels.
	Namespaces []string
}

// Resolve says what a target leads to, seen from a namespace. It is empty for what the estate does not know.
func (e *Estate) Resolve(t reference.Target, from string) Resolution {
	switch t.Kind {
	case reference.Host:
		return e.host(t, from, maxAliases)
	case reference.Range:
		return Resolution{Owners: e.Within(t.Name)}
	case reference.Resource:
		return Resolution{Owners: e.Resource(t.Name)}
	case reference.Instance:
		return Resolution{Owners: e.Instance(t.Name)}
	case reference.Namespace:
		return Resolution{Namespaces: e.Named(t.Name)}
	case reference.NamespaceSelector:
		return Resolution{Namespaces: e.Selected(t.Name)}
	case reference.Claim:
		v, _ := e.ClaimedVolume(from, t.Name)
		return e.volume(v, from)
	case reference.Volume:
		v, _ := e.Volume(t.Name)
		return e.volume(v, from)
	default:
		return Resolution{}
	}
}

// volume: a volume leads to what its source names, and to the namespace whose claim it holds.
func (e *Estate) volume(v Volume, from string) Resolution {
	var out Resolution
	for _, t := range v.Targets {
		if t.Kind != reference.Claim && t.Kind != reference.Volume {
			out.Owners = append(out.Owners, e.Resolve(t, from).Owners...)
		}
	}
	if v.ClaimNamespace != "" {
		out.Namespaces = []string{v.ClaimNamespace}
	}
	return out
}

// maxAliases is how many Services of type ExternalName are followed.
const maxAliases = 4

func (e *Estate) host(t reference.Target, from string, aliases int) Resolution {
	if t.Addr.IsValid() {
		if owners := e.Address(t.Addr); len(owners) > 0 {
			return Resolution{Owners: owners}
		}
		return e.cluster(e.network.addresses[t.Addr.Unmap()])
	}
	if owners := e.ownersOf(t); len(owners) > 0 || t.Exact {
		return Resolution{Owners: owners}
	}
	if name, ok := e.network.hosts[t.Name]; ok {
		return e.cluster(name)
	}
	svc, ns, ok := e.serviceOf(t, from)
	if !ok || svc == "kubernetes" && ns == "default" {
		return Resolution{}
	}
	if r, ok := e.alias(ns, svc, from, aliases); ok {
		return r
	}
	return Resolution{Owners: e.Service(ns, svc), Service: svc, Namespace: ns}
}

// ownersOf returns the data stores that own a host by its name.
func (e *Estate) ownersOf(t reference.Target) []Owner {
	if t.Exact {
		return e.stores.tables[inHosts].get(t.Name)
	}
	owners := e.Host(t.Name)
	if domain, wild := strings.CutPrefix(t.Name, "*."); wild && t.Unambiguous && len(owners) == 0 {
		return e.covered(domain)
	}
	return owners
}

// alias follows a Service of type ExternalName, and returns false where it leads to nothing of another namespace's.
func (e *Estate) alias(ns, svc, from string, aliases int) (Resolution, bool) {
	external := e.services[ns+"/"+svc].External
	if external == "" || aliases == 0 || len(e.Service(ns, svc)) > 0 {
		return Resolution{}, false
	}
	alias, ok := reference.NormaliseHost(external, true)
	if !ok {
		return Resolution{}, false
	}
	alias.Unambiguous = true
	r := e.host(alias, ns, aliases-1)
	return r, len(r.Owners) > 0 || r.Namespace != "" && r.Namespace != from
}

// cluster is a Service of the cluster, by namespace/name, that was found by an address or a name of its own.
func (e *Estate) cluster(name string) Resolution {
	ns, svc, ok := strings.Cut(name, "/")
	if !ok || svc == "kubernetes" && ns == "default" {
		return Resolution{}
	}
	return Resolution{Owners: e.Service(ns, svc), Service: svc, Namespace: ns}
}

// public reports whether a namespace is called like a top-level domain, as dev is: then knative.dev is a site of the
// world's, unless such a Service exists. Production is guarded by its name, but for what is spelled as the address of a site.
func (e *Estate) public(h reference.Target, namespace string) bool {
	suffix, listed := publicsuffix.PublicSuffix(namespace)
	return listed && suffix == namespace && (h.Site || len(e.NamespaceOrName(namespace).Production()) == 0)
}

// serviceOf reads the spellings of a Service's DNS name: svc (same namespace), svc.ns, svc.ns.svc, svc.ns.svc and the domain of a
// cluster, and a Pod's name in front of each of the last three; and that of a Pod by its address. What a cluster calls its domain is
// not known to it, so any domain may be this one's.
func (e *Estate) serviceOf(h reference.Target, from string) (svc, ns string, ok bool) {
	labels := strings.Split(h.Name, ".")
	if i := kindLabel(labels); i > 0 {
		labels = labels[:i+1]
	}
	n := len(labels)
	if n >= 3 {
		switch labels[n-1] {
		case "svc":
			return labels[n-3], labels[n-2], true
		case "pod", "serviceaccount":
			return "", labels[n-2], true
		}
	}
	switch {
	case strings.HasSuffix(h.Name, "."+clusterDomain):
		return "", "", false
	case n == 3 && e.serviceKnown(labels[2], labels[1]):
		return labels[1], labels[2], true // a member of a StatefulSet
	case n == 2 && (h.Unambiguous && !e.public(h, labels[1]) || e.serviceKnown(labels[1], labels[0])):
		return labels[0], labels[1], true
	case n == 1 && h.Unambiguous && from != "":
		return labels[0], from, true
	}
	return "", "", false
}

// kindLabel returns the index of the label svc or pod that the name of a Service and its namespace stand before, or -1.
func kindLabel(labels []string) int {
	for i := 2; i < len(labels); i++ {
		if labels[i] == "svc" || labels[i] == "serviceaccount" || labels[i] == "pod" && i+1 < len(labels) && strings.Count(labels[i-2], "-") >= 3 || labels[i] == "pod" && strings.HasSuffix(strings.Join(labels[i:], "."), clusterDomain) {
			return i
		}
	}
	return -1
}

// serviceKnown reports whether the cluster has a Service, or a data store lists it.
func (e *Estate) serviceKnown(namespace, name string) bool {
	return e.ServiceExists(namespace, name) || len(e.Service(namespace, name)) > 0
}
