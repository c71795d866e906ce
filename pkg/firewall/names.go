package firewall

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// namesName is the name of the policy that opens names.
const namesName = NamePrefix + "firewall-names"

// MostNames is how many names one policy opens. For each, Cilium keeps the addresses that somebody has looked up.
const MostNames = 1000

// CiliumPolicy is the kind of Cilium's that can open a name, which a NetworkPolicy cannot.
func CiliumPolicy() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "cilium.io", Version: "v2", Kind: "CiliumNetworkPolicy"}
}

// Named is the policy of Cilium's that opens names to a namespace, for those whose addresses lie in ranges that are closed to it.
type Named struct {
	// Object is what is to be stored. It must not be changed.
	Object *unstructured.Unstructured
	// Digest is that of its spec, Bytes the size of its spec in JSON.
	Digest string
	Bytes  int
}

// Names returns the policy of a namespace that opens names, and nil if there is nothing to open or Cilium's kind is not served. Policies add up,
// so it opens these names beside what the NetworkPolicies open, and closes nothing.
func (p *Plan) Names(namespace string) *Named {
	g := p.of[namespace]
	if g == nil || g.names == nil {
		return nil
	}
	o := &unstructured.Unstructured{Object: map[string]any{"spec": g.names}}
	o.SetGroupVersionKind(CiliumPolicy())
	o.SetNamespace(namespace)
	o.SetName(namesName)
	o.SetLabels(Labels(string(p.tiers[namespace])))
	return &Named{o, g.namesDigest, g.namesBytes}
}

// DigestOf returns a text that is the same for two of Cilium's policies if they say the same. Beside its spec, one may have a list of further ones.
func DigestOf(o *unstructured.Unstructured) string {
	raw, err := json.Marshal([]any{o.Object["spec"], o.Object["specs"]})
	if err != nil {
		return "" // cannot happen: it is a tree of texts and numbers
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// opened returns the names that namespaces of a tier may reach wherever they lie, sorted: of gateways that they may use and, for Production, of the
// tier's own data stores and Shared ones. NonProduction gets none of its own data stores: it decides what its names resolve to, so that it could
// point one at a database of Production. Where no range is closed, the world is open, and no name needs to be.
func (p *Plan) opened(tier v1alpha1.Tier, used []int) []string {
	if !p.in.Cilium || len(p.reaches[tier].denied) == 0 {
		return nil
	}
	var out []string
	for _, i := range used {
		if name := p.passages[i].name; name != "" {
			out = append(out, name)
		}
	}
	if tier == v1alpha1.TierProduction {
		out = append(out, p.storeNames()...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// storeNames returns the hosts of data stores that only Production or Shared environments own.
func (p *Plan) storeNames() []string {
	var out []string
	for _, h := range p.in.Estate.Hosts() {
		own := true
		for _, o := range h.Owners {
			own = own && o.Tier() != v1alpha1.TierNonProduction
		}
		if own {
			out = append(out, h.Name)
		}
	}
	return out
}

// nameSpec returns the spec of the policy that opens names. Cilium learns the addresses of a name from the answers of name servers, which its rule
// for them makes it read.
func nameSpec(names []string) map[string]any {
	ask := []any{map[string]any{
		"ports": []any{map[string]any{"port": "53", "protocol": "ANY"}},
		"rules": map[string]any{"dns": []any{map[string]any{"matchPattern": "*"}}},
	}}
	to := make([]any, len(names))
	for i, name := range names {
		if strings.Contains(name, "*") {
			to[i] = map[string]any{"matchPattern": name}
		} else {
			to[i] = map[string]any{"matchName": name}
		}
	}
	return map[string]any{
		"endpointSelector": map[string]any{},
		"egress": []any{
			map[string]any{"toPorts": ask, "toEndpoints": []any{map[string]any{"matchLabels": map[string]any{
				"k8s:io.kubernetes.pod.namespace": metav1.NamespaceSystem, "k8s:k8s-app": "kube-dns",
			}}}},
			map[string]any{"toPorts": ask, "toCIDR": []any{nodeLocalDNS}},
			map[string]any{"toFQDNs": to},
		},
	}
}

// Same reports whether a stored policy does what this one does, and is labelled for the same purpose. digest is that of the stored one.
func (n *Named) Same(stored metav1.Object, digest string) bool {
	return digest == n.Digest && stored.GetLabels()[LabelFirewall] == n.Object.GetLabels()[LabelFirewall]
}

// addNames gives a group the policy that opens its names.
func (p *Plan) addNames(g *group, tier v1alpha1.Tier, used []int) {
	names := p.opened(tier, used)
	if len(names) > MostNames {
		p.unnamed = append(p.unnamed, fmt.Sprintf("%d names would be opened to namespaces of tier %s, and a policy of Cilium's opens at most %d: those after %q are not; what they resolve to belongs into spec.cidrs.", len(names), tier, MostNames, names[MostNames-1]))
		names = names[:MostNames]
	}
	if len(names) == 0 {
		return
	}
	g.names = nameSpec(names)
	raw, err := json.Marshal(g.names)
	if err != nil {
		raw = make([]byte, MostBytes) // cannot happen: it is a tree of texts
	}
	g.bytes, p.largest = g.bytes+len(raw), max(p.largest, len(raw))
	g.namesDigest = DigestOf(&unstructured.Unstructured{Object: map[string]any{"spec": g.names}})
	g.namesBytes = len(raw)
}

// NamesDifference is what would change where Cilium's policies of a cluster are made those of a plan.
type NamesDifference struct {
	// Add, Change and Remove are the policies that are missing, are not as the plan has them, or have no place in it; Foreign are another's that
	// have the name of one that is missing.
	Add, Change, Remove, Foreign []*unstructured.Unstructured
}

// CompareNames returns what differs between Cilium's policies of a cluster, those of others included, and a plan.
func (p *Plan) CompareNames(stored []*unstructured.Unstructured) NamesDifference {
	var d NamesDifference
	have := make(map[string]*unstructured.Unstructured, len(stored))
	for _, s := range stored {
		have[s.GetNamespace()+"/"+s.GetName()] = s
	}
	for _, ns := range p.namespaces {
		want := p.Names(ns)
		if want == nil {
			continue
		}
		key := ns + "/" + namesName
		switch s := have[key]; {
		case s == nil:
			d.Add = append(d.Add, want.Object)
		case !Owned(s):
			d.Foreign = append(d.Foreign, s)
		case !want.Same(s, DigestOf(s)):
			d.Change = append(d.Change, want.Object)
		}
		delete(have, key)
	}
	for _, s := range stored {
		if have[s.GetNamespace()+"/"+s.GetName()] != nil && Owned(s) {
			d.Remove = append(d.Remove, s)
		}
	}
	return d
}
