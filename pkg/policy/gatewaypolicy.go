package policy

import (
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/schedule"
)

// isGateway reports whether a reference names the host of a gateway: by its name, its address, or a range of this one address.
func isGateway(g *v1alpha1.Gateway, r reference.Reference) bool {
	h, ok := reference.NormaliseHost(g.Host, true)
	if !ok {
		return false
	}
	if r.Kind == reference.Range && h.Addr.IsValid() {
		p, err := netip.ParsePrefix(r.Name)
		return err == nil && p.IsSingleIP() && p.Addr().Unmap() == h.Addr.Unmap()
	}
	return h.Name == r.Name
}

// peerSelector is where a network policy selects the namespaces of a peer.
var peerSelector = regexp.MustCompile(`^spec\.(egress|ingress)\[(\d+)\]\.(?:to|from)\[(\d+)\]\.namespaceSelector$`)

// opensGateway reports whether a network policy opens no more than the Pods of a gateway that counts, to environments that it lists: on the
// way out, a peer that selects these Pods in the gateway's namespace; on the way in, a policy for these Pods, with namespaces of such
// environments.
func (c *PreparedRequest) opensGateway(l crossing) bool {
	at := peerSelector.FindStringSubmatch(l.ref.Path)
	if at == nil || l.ref.Kind != reference.NamespaceSelector || c.new == nil || c.req.Kind.GroupKind() != networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy").GroupKind() {
		return false
	}
	var p networkingv1.NetworkPolicy
	if kjson.UnmarshalCaseSensitivePreserveInts(c.new.raw, &p) != nil {
		return false
	}
	selected := c.est.Selected(l.ref.Name)
	if at[1] == "ingress" {
		return slices.ContainsFunc(c.subject().Environments, func(e *estate.Environment) bool {
			return c.gateways(e, c.req.Namespace, &p.Spec.PodSelector, func(g *v1alpha1.Gateway) bool {
				return !slices.ContainsFunc(selected, func(ns string) bool { return !slices.ContainsFunc(g.From, c.est.NamespaceOrName(ns).In) })
			})
		})
	}
	rule, peer := index(at[2]), index(at[3])
	if l.env == nil || len(selected) != 1 || rule >= len(p.Spec.Egress) || peer >= len(p.Spec.Egress[rule].To) {
		return false
	}
	return c.gateways(l.env, selected[0], p.Spec.Egress[rule].To[peer].PodSelector, func(g *v1alpha1.Gateway) bool {
		return slices.ContainsFunc(g.From, c.subject().In)
	})
}

// gateways reports whether an environment has a gateway that counts and is a Service of a namespace, whose Pods are all that a selector
// selects, and that a predicate accepts.
func (c *PreparedRequest) gateways(e *estate.Environment, namespace string, pods *metav1.LabelSelector, accepts func(*v1alpha1.Gateway) bool) bool {
	gateways := e.Spec().Gateways
	for i := range gateways {
		g := &gateways[i]
		t, ok := c.est.Gateway(g)
		if ok && t.Namespace == namespace && narrows(pods, t.Selector) && !schedule.Expired(g.ExpiresAt.Time, c.At()) && accepts(g) {
			return true
		}
	}
	return false
}

// narrows reports whether a selector of Pods selects none but those that a Service selects.
func narrows(pods *metav1.LabelSelector, service map[string]string) bool {
	if pods == nil || len(service) == 0 {
		return false
	}
	for k, v := range service {
		if has, ok := pods.MatchLabels[k]; !ok || has != v {
			return false
		}
	}
	return true
}

// index reads a number that an expression has matched.
func index(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return math.MaxInt // beyond any list
	}
	return n
}
