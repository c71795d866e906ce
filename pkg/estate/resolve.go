package estate

import (
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// clusterDomain is the DNS suffix behind `svc`. Services are also found without it.
const clusterDomain = "cluster.local"

// Target is what a host leads to.
type Target struct {
	// Owners are the data stores that own it.
	Owners []Owner
	// Service, Namespace: the Service that the host names; the Service is empty where only a namespace is known.
	Service, Namespace string
}

// Resolve says what a host leads to, seen from a namespace. It is empty for what the estate does not know.
func (e *Estate) Resolve(h reference.Host, from string) Target {
	if h.Addr.IsValid() {
		return Target{Owners: e.Address(h.Addr)}
	}
	if owners := e.Host(h.Name); len(owners) > 0 {
		return Target{Owners: owners}
	}
	svc, ns, ok := e.serviceOf(h, from)
	if !ok || svc == "kubernetes" && ns == "default" {
		return Target{}
	}
	return Target{Owners: e.Service(ns, svc), Service: svc, Namespace: ns}
}

// public reports whether a namespace is called like a top-level domain, as dev is: then knative.dev is a site of the
// world's, unless such a Service exists. Production is guarded by its name alone.
func (e *Estate) public(namespace string) bool {
	suffix, listed := publicsuffix.PublicSuffix(namespace)
	return listed && suffix == namespace && len(e.NamespaceOrName(namespace).Production()) == 0
}

// serviceOf reads the spellings of a Service's DNS name: svc (same namespace), svc.ns, svc.ns.svc,
// svc.ns.svc.cluster.local, and a Pod's name in front of each of the last two.
func (e *Estate) serviceOf(h reference.Host, from string) (svc, ns string, ok bool) {
	labels := strings.Split(strings.TrimSuffix(h.Name, "."+clusterDomain), ".")
	n := len(labels)
	switch {
	case n >= 3 && labels[n-1] == "svc":
		return labels[n-3], labels[n-2], true
	case strings.HasSuffix(h.Name, "."+clusterDomain):
		return "", "", false
	case n == 2 && (h.Strong && !e.public(labels[1]) || e.ServiceExists(labels[1], labels[0])):
		return labels[0], labels[1], true
	case n == 1 && h.Strong && from != "":
		return labels[0], from, true
	}
	return "", "", false
}
