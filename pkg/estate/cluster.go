package estate

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// Service is what matters of a Service: by which addresses and names it is reached besides its own.
type Service struct {
	// Addresses of the cluster, of its load balancers and external ones.
	Addresses []netip.Addr
	// Hosts of its load balancers.
	Hosts []string
	// External is the host that a Service of type ExternalName stands for.
	External string
	// Selector are the labels of its Pods. It is empty where somebody else writes its endpoints.
	Selector map[string]string
}

// ServiceOf reduces a Service.
func ServiceOf(s *corev1.Service) Service {
	out := Service{External: s.Spec.ExternalName, Selector: s.Spec.Selector}
	texts := slices.Concat([]string{s.Spec.ClusterIP}, s.Spec.ClusterIPs, s.Spec.ExternalIPs, []string{s.Spec.LoadBalancerIP})
	for _, i := range s.Status.LoadBalancer.Ingress {
		texts = append(texts, i.IP)
		if i.Hostname != "" {
			out.Hosts = append(out.Hosts, i.Hostname)
		}
	}
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil && !slices.Contains(out.Addresses, a.Unmap()) {
			out.Addresses = append(out.Addresses, a.Unmap())
		}
	}
	return out
}

// Volume is what matters of a PersistentVolume.
type Volume struct {
	// ClaimNamespace and Claim are the claim that it is bound to; empty: to none.
	ClaimNamespace, Claim string
	// Targets that its source names.
	Targets []reference.Target
}

// VolumeOf reduces a PersistentVolume.
func VolumeOf(pv *corev1.PersistentVolume) Volume {
	var out Volume
	if c := pv.Spec.ClaimRef; c != nil {
		out.ClaimNamespace, out.Claim = c.Namespace, c.Name
	}
	tree, err := runtime.DefaultUnstructuredConverter.ToUnstructured(pv)
	if err != nil {
		return out
	}
	in := reference.Input{Object: tree, Kind: schema.GroupKind{Kind: "PersistentVolume"}}
	for _, r := range reference.Extract(in) {
		if r.Kind != reference.Namespace {
			out.Targets = append(out.Targets, r.Target)
		}
	}
	return out
}

// Node is what matters of a node.
type Node struct {
	Labels map[string]string
	// Taints as key=value.
	Taints []string
	// PodRanges are the addresses that Kubernetes has given the node for its Pods. Some network plugins take others.
	PodRanges []netip.Prefix
}

// NodeOf reduces a node.
func NodeOf(n *corev1.Node) Node {
	out := Node{Labels: n.Labels}
	for _, t := range n.Spec.Taints {
		out.Taints = append(out.Taints, t.Key+"="+t.Value)
	}
	slices.Sort(out.Taints)
	for _, text := range n.Spec.PodCIDRs {
		if p, err := netip.ParsePrefix(text); err == nil {
			out.PodRanges = append(out.PodRanges, canonical(p))
		}
	}
	return out
}

// network is where the Services of the cluster are found.
type network struct {
	addresses map[netip.Addr]string
	hosts     map[string]string
}

func (e *Estate) addServices(all map[string]Service) {
	e.services = all
	e.network = network{addresses: map[netip.Addr]string{}, hosts: map[string]string{}}
	for name, s := range all {
		for _, a := range s.Addresses {
			// Two Services may share a load balancer: the one in production counts.
			if other, taken := e.network.addresses[a]; !taken || e.stricter(name, other) {
				e.network.addresses[a] = name
			}
		}
		for _, h := range s.Hosts {
			if t, ok := reference.NormaliseHost(h, true); ok {
				if other, taken := e.network.hosts[t.Name]; !taken || e.stricter(name, other) {
					e.network.hosts[t.Name] = name
				}
			}
		}
	}
}

// stricter compares the namespaces of two Services, and breaks ties by name so that all replicas agree.
func (e *Estate) stricter(a, b string) bool {
	tier := func(name string) int {
		ns, _, _ := strings.Cut(name, "/")
		return tierStrictness(e.NamespaceOrName(ns).Tier)
	}
	if ta, tb := tier(a), tier(b); ta != tb {
		return ta > tb
	}
	return a < b
}

// IsAPIServer reports whether an address is that of the API server's own Service.
func (e *Estate) IsAPIServer(address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && slices.Contains(e.services["default/kubernetes"].Addresses, a.Unmap())
}

// ServiceExists reports whether the cluster has a Service.
func (e *Estate) ServiceExists(namespace, name string) bool {
	_, ok := e.services[namespace+"/"+name]
	return ok
}

// Volume returns what is known of a PersistentVolume.
func (e *Estate) Volume(name string) (Volume, bool) {
	v, ok := e.volumes[name]
	return v, ok
}

// ClaimedVolume returns the volume that a claim is bound to.
func (e *Estate) ClaimedVolume(namespace, claim string) (Volume, bool) {
	v, ok := e.volumes[e.claimed[namespace+"/"+claim]]
	return v, ok
}

func (e *Estate) addVolumes(all map[string]Volume) {
	e.volumes, e.claimed = all, make(map[string]string, len(all))
	for name, v := range all {
		if v.Claim != "" {
			e.claimed[v.ClaimNamespace+"/"+v.Claim] = name
		}
	}
}

// Selected returns the namespaces of the cluster that a selector matches, sorted.
func (e *Estate) Selected(selector string) []string {
	s, err := labels.Parse(selector)
	if err != nil || s.Empty() || selector == reference.AllNamespaces {
		s = labels.Everything() // what cannot be read may select any of them
	}
	var out []string
	for name := range e.namespaces {
		if s.Matches(namespaceLabels{e.labels[name], name}) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// IsEverything reports whether namespaces are all that the cluster has.
func (e *Estate) IsEverything(names []string) bool { return len(names) == len(e.namespaces) }

// namespaceLabels are the labels of a namespace with the one that the API server sets itself.
type namespaceLabels struct {
	labels.Set
	name string
}

func (l namespaceLabels) Has(key string) bool {
	return key == corev1.LabelMetadataName || l.Set.Has(key)
}

func (l namespaceLabels) Get(key string) string {
	if key == corev1.LabelMetadataName {
		return l.name
	}
	return l.Set.Get(key)
}

func (l namespaceLabels) Lookup(key string) (string, bool) {
	if key == corev1.LabelMetadataName {
		return l.name, true
	}
	return l.Set.Lookup(key)
}

// Named returns the namespaces of the cluster that match a glob, sorted.
func (e *Estate) Named(glob string) []string {
	if !strings.ContainsAny(glob, "*?") {
		return []string{glob}
	}
	var out []string
	for name := range e.namespaces {
		if match(glob, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
