package estate

import (
	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// GatewayTarget is what the host of a gateway is.
type GatewayTarget struct {
	// Target is the host itself: a name, or an address.
	Target reference.Target
	// Namespace and Service are the Service of the cluster that the host names. They are empty for what is outside of the cluster.
	Namespace, Service string
	// Selector are the labels of the Service's Pods. It is empty where somebody else writes its endpoints.
	Selector map[string]string
}

// Gateway returns what the host of a gateway is, and false if it is no host.
func (e *Estate) Gateway(g *v1alpha1.Gateway) (GatewayTarget, bool) {
	target, ok := reference.NormaliseHost(g.Host, true)
	if !ok {
		return GatewayTarget{}, false
	}
	target.Unambiguous = true
	out := GatewayTarget{Target: target}
	r := e.Resolve(target, "")
	if s, found := e.ServiceAt(r.Namespace, r.Service); found {
		out.Namespace, out.Service, out.Selector = r.Namespace, r.Service, s.Selector
	}
	return out, true
}
