package estate_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

func TestServiceOf(t *testing.T) {
	s := &corev1.Service{}
	s.Spec.ClusterIP, s.Spec.ClusterIPs = "10.96.0.7", []string{"10.96.0.7", "fd00::7"}
	s.Spec.ExternalIPs, s.Spec.LoadBalancerIP, s.Spec.ExternalName = []string{"::ffff:192.0.2.1"}, "192.0.2.1", "db.example.com"
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.2"}, {Hostname: "lb.example.com"}}
	want := estate.Service{
		Addresses: []netip.Addr{netip.MustParseAddr("10.96.0.7"), netip.MustParseAddr("fd00::7"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")},
		Hosts:     []string{"lb.example.com"}, External: "db.example.com",
	}
	if diff := cmp.Diff(want, estate.ServiceOf(s), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("every address counts once, in each of its spellings (-want +got):\n%s", diff)
	}
	headless := &corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone}}
	if diff := cmp.Diff(estate.Service{}, estate.ServiceOf(headless)); diff != "" {
		t.Errorf("a Service without an address has none (-want +got):\n%s", diff)
	}
}

func TestNodeOf(t *testing.T) {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"pool": "prod"}}}
	n.Spec.Taints = []corev1.Taint{{Key: "gpu"}, {Key: "dedicated", Value: "prod"}}
	want := estate.Node{Labels: map[string]string{"pool": "prod"}, Taints: []string{"dedicated=prod", "gpu="}}
	if diff := cmp.Diff(want, estate.NodeOf(n)); diff != "" {
		t.Errorf("a node is its labels and its taints, sorted (-want +got):\n%s", diff)
	}
}

// A volume leads to the server that its source names, and to the namespace whose claim it holds.
func TestVolumes(t *testing.T) {
	nfs := func(server string, claim *corev1.ObjectReference) estate.Volume {
		pv := &corev1.PersistentVolume{Spec: corev1.PersistentVolumeSpec{ClaimRef: claim}}
		pv.Spec.NFS = &corev1.NFSVolumeSource{Server: server, Path: "/export"}
		return estate.VolumeOf(pv)
	}
	in := input(t, estateOfStores)
	in.Volumes = map[string]estate.Volume{
		"claimed": nfs("orders.db.example.com", &corev1.ObjectReference{Namespace: "payments", Name: "data"}), "free": nfs("x.db.example.com", nil), "elsewhere": nfs("nas.example.net", nil),
	}
	e := estate.Compile(in)
	for name, test := range map[string]struct {
		reason string
		target reference.Target
		from   string
		want   string
	}{
		"a volume with a claim":       {"its server and its namespace", reference.Target{Kind: reference.Volume, Name: "claimed"}, "dev", "orders@production [payments]"},
		"a volume without one":        {"its server alone", reference.Target{Kind: reference.Volume, Name: "free"}, "dev", "exact@staging []"},
		"a volume of nobody's server": {"it leads nowhere", reference.Target{Kind: reference.Volume, Name: "elsewhere"}, "dev", " []"},
		"a volume that is not there":  {"nobody knows it", reference.Target{Kind: reference.Volume, Name: "gone"}, "dev", " []"},
		"a claim":                     {"it leads to its volume", reference.Target{Kind: reference.Claim, Name: "data"}, "payments", "orders@production [payments]"},
		"a claim of that name":        {"claims are of a namespace", reference.Target{Kind: reference.Claim, Name: "data"}, "dev", " []"},
		"a claim without a name":      {"a volume that is free is nobody's", reference.Target{Kind: reference.Claim}, "", " []"},
	} {
		t.Run(name, func(t *testing.T) {
			r := e.Resolve(test.target, test.from)
			if got := owners(r.Owners) + " [" + strings.Join(r.Namespaces, " ") + "]"; got != test.want {
				t.Errorf("%s: it leads to %s, want %s", test.reason, got, test.want)
			}
		})
	}
}

// A target names namespaces by a glob or by their labels. A selector that matches all of them points at none.
func TestNamespacesOfATarget(t *testing.T) {
	e := draft(t, "ns payments {env: prod}\nns orders {env: prod}\nns dev {env: dev}")
	for name, test := range map[string]struct {
		reason string
		kind   reference.Kind
		target string
		want   string
	}{
		"a name":                   {"it need not exist yet", reference.Namespace, "later", "later"},
		"a glob":                   {"sorted", reference.Namespace, "*s", "orders payments"},
		"a question mark":          {"one character", reference.Namespace, "de?", "dev"},
		"a glob of nothing":        {"none matches", reference.Namespace, "x*", ""},
		"labels":                   {"sorted", reference.NamespaceSelector, "env=prod", "orders payments"},
		"its name as a label":      {"every namespace has it", reference.NamespaceSelector, "kubernetes.io/metadata.name=dev", "dev"},
		"labels of nothing":        {"none matches", reference.NamespaceSelector, "env=x", ""},
		"labels of all":            {"whether all matter, the rule says", reference.NamespaceSelector, "env", "dev orders payments"},
		"no labels":                {"it selects every one", reference.NamespaceSelector, "", "dev orders payments"},
		"a broken selector":        {"nobody can tell what it selects", reference.NamespaceSelector, "env==(", "dev orders payments"},
		"a label that must not be": {"the others match", reference.NamespaceSelector, "env notin (prod)", "dev"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(e.Resolve(reference.Target{Kind: test.kind, Name: test.target}, "dev").Namespaces, " "); got != test.want {
				t.Errorf("%s: %q names %q, want %q", test.reason, test.target, got, test.want)
			}
		})
	}
}
