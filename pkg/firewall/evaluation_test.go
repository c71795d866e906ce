package firewall_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/firebreak-dev/firebreak/pkg/firewall"
)

// end is one end of a connection: a Pod, or a host outside of the cluster if it has no namespace.
type end struct {
	IP              string            `json:"ip"`
	Namespace       string            `json:"namespace"`
	NamespaceLabels map[string]string `json:"namespaceLabels"`
	PodLabels       map[string]string `json:"podLabels"`
}

func (e end) String() string {
	if e.Namespace == "" {
		return e.IP
	}
	return e.Namespace
}

// question asks whether traffic passes.
type question struct {
	From     end             `json:"from"`
	To       end             `json:"to"`
	Port     int             `json:"port"`
	Protocol corev1.Protocol `json:"protocol"`
}

func tcp(from, to end, port int) question { return question{from, to, port, corev1.ProtocolTCP} }

// pod is a Pod of a namespace, with an address in the nodes' ranges.
func pod(namespace string, labels map[string]string) end {
	sum := 0
	for _, c := range namespace {
		sum += int(c)
	}
	return end{fmt.Sprintf("10.244.1.%d", sum%250+1), namespace, map[string]string{corev1.LabelMetadataName: namespace}, labels}
}

func host(ip string) end { return end{IP: ip} }

// policies returns all policies of a plan.
func policies(p *firewall.Plan) []*networkingv1.NetworkPolicy {
	var out []*networkingv1.NetworkPolicy
	for _, ns := range p.Namespaces() {
		out = append(out, p.Policies(ns)...)
	}
	return out
}

// answer says what the policies of the sender and of the receiver let pass.
type answer struct{ Egress, Ingress bool }

func (a answer) passes() bool { return a.Egress && a.Ingress }

// evaluate asks an interpreter of network policies that shares no code with this package.
func evaluate(t *testing.T, policies []*networkingv1.NetworkPolicy, questions []question) []answer {
	t.Helper()
	asked, err := json.Marshal(map[string]any{"policies": policies, "questions": questions})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join("..", "..", "bin", "netpol"))
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(asked), &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("bin/netpol: %v (hack/tools/build.sh hack/netpol builds it)\n%s", err, said.String())
	}
	var answers []answer
	if err := json.Unmarshal(out.Bytes(), &answers); err != nil || len(answers) != len(questions) {
		t.Fatalf("%d questions have %d answers: %v", len(questions), len(answers), err)
	}
	return answers
}

// sides says by hand to which side each namespace of the story belongs.
func sides() map[string]string {
	return map[string]string{
		"prod": "production", "prod-eu": "production",
		"staging": "other", "dev": "other", "dev-a": "other", "scratch": "other", "default": "other",
		"ingress": "shared", "kube-system": "shared", "kube-public": "shared", "kube-node-lease": "shared", "firebreak-system": "shared",
	}
}

// Every namespace with every other: within a side and with what is shared everything passes, and across nothing does, at either end.
func TestNamespaces(t *testing.T) {
	p := plan(t, "story")
	side := sides()
	names := slices.Sorted(maps.Keys(side))
	if want := story(t, "story").Namespaces; len(want) != len(names) {
		t.Fatalf("%d namespaces have a side, and there are %d", len(names), len(want))
	}
	var questions []question
	for _, from := range names {
		for _, to := range names {
			questions = append(questions, tcp(pod(from, nil), pod(to, nil), 8080))
		}
	}
	for i, a := range evaluate(t, policies(p), questions) {
		from, to := questions[i].From.Namespace, questions[i].To.Namespace
		want := side[from] == side[to] || side[from] == "shared" || side[to] == "shared"
		if a.Egress != want || a.Ingress != want {
			t.Errorf("%s (%s) to %s (%s): the policies of the sender let it pass: %t, those of the receiver: %t; want both %t", from, side[from], to, side[to], a.Egress, a.Ingress, want)
		}
	}
}

// What every namespace needs passes from each.
func TestNeeds(t *testing.T) {
	dns := pod("kube-system", map[string]string{"k8s-app": "kube-dns"})
	var questions []question
	for ns := range sides() {
		for _, to := range []end{dns, host("169.254.20.10")} {
			questions = append(questions, tcp(pod(ns, nil), to, 53), question{pod(ns, nil), to, 53, corev1.ProtocolUDP})
		}
		questions = append(questions,
			tcp(pod(ns, nil), host("10.96.0.1"), 443), tcp(pod(ns, nil), host("172.18.0.2"), 6443), tcp(pod(ns, nil), host("172.18.0.3"), 6443),
			tcp(pod(ns, nil), host("1.1.1.1"), 443), tcp(pod(ns, nil), host("2606:4700::1111"), 443), // the world
			tcp(host("9.9.9.9"), pod(ns, nil), 443), tcp(host("172.18.0.2"), pod(ns, nil), 10250), // and in from there, nodes among it
		)
	}
	for i, a := range evaluate(t, policies(plan(t, "story")), questions) {
		if q := questions[i]; !a.passes() {
			t.Errorf("%s to %s, port %d %s, does not pass", q.From, q.To, q.Port, q.Protocol)
		}
	}
}

// They pass even where a range of the other side's data stores holds their addresses.
func TestNeedsInsideOfARange(t *testing.T) {
	c := story(t, "story")
	for _, name := range []string{"orders", "orders-dev"} {
		d := c.DataStores[name]
		d.CIDRs = append(d.CIDRs, map[string]string{"orders": "172.16.0.0/12", "orders-dev": "169.254.0.0/16"}[name])
		c.DataStores[name] = d
	}
	c.APIServers = append(c.APIServers, addrPort(t, "169.254.1.1:6443"))
	questions := []question{
		tcp(pod("dev", nil), host("172.18.0.2"), 6443), tcp(pod("prod", nil), host("169.254.20.10"), 53), tcp(pod("prod", nil), host("169.254.1.1"), 6443),
		tcp(pod("dev", nil), host("172.18.0.2"), 5432), tcp(pod("prod", nil), host("169.254.20.10"), 5432),
	}
	want := []bool{true, true, true, false, false}
	for i, a := range evaluate(t, policies(firewall.Compile(c.input())), questions) {
		if q := questions[i]; a.passes() != want[i] {
			t.Errorf("%s to %s, port %d, passes: %t, want %t", q.From, q.To, q.Port, a.passes(), want[i])
		}
	}
}

// Addresses of data stores, by the narrowest range that holds them.
func TestDataStores(t *testing.T) {
	p := plan(t, "story")
	for _, c := range []struct {
		address            string
		production, others bool
	}{
		{"10.20.0.0", true, false}, {"10.20.255.255", true, false}, // orders
		{"10.19.255.255", true, true}, {"10.21.0.0", true, true}, // beside it
		{"10.20.5.1", false, true},                           // orders-dev, inside of orders
		{"10.20.5.200", true, false},                         // archive, inside of orders-dev
		{"10.20.7.7", true, true},                            // logs, which is shared, inside of orders
		{"203.0.113.5", false, true},                         // an address among the hosts of orders-dev
		{"198.51.100.7", true, false},                        // and of orders
		{"2001:db8:20::5", true, false},                      // IPv6
		{"2001:db8:21::5", true, true},                       // beside it
		{"192.0.2.1", true, false},                           // its environment does not exist: the stricter reading
		{"10.244.7.9", false, false},                         // an address of Pods that no Pod has that is known
		{"fd00:7::9", false, false},                          // the same in IPv6
		{"10.244.200.1", true, true},                         // no node's
		{"203.0.113.6", true, true}, {"8.8.8.8", true, true}, // the world
	} {
		var questions []question
		var want []bool
		for ns, side := range sides() {
			questions = append(questions, tcp(pod(ns, nil), host(c.address), 5432))
			want = append(want, side == "shared" || side == "production" && c.production || side == "other" && c.others)
		}
		for i, a := range evaluate(t, policies(p), questions) {
			if a.passes() != want[i] {
				t.Errorf("%s to %s passes: %t, want %t", questions[i].From, c.address, a.passes(), want[i])
			}
		}
	}
}

// A gateway is open to the environments that it lists, until it expires, and nothing else is.
func TestGateways(t *testing.T) {
	in := story(t, "story").input()
	later := in
	later.At = now().AddDate(0, 1, 0) // after 10.20.0.9 has expired
	proxy := map[string]string{"app": "proxy"}
	for _, c := range []struct {
		q          question
		now, later bool
	}{
		{tcp(pod("dev", nil), pod("prod", proxy), 5432), true, true},
		{tcp(pod("dev-a", nil), pod("prod", proxy), 5432), true, true},
		{tcp(pod("staging", nil), pod("prod", proxy), 5432), false, false}, // not listed
		{tcp(pod("scratch", nil), pod("prod", proxy), 5432), false, false},
		{tcp(pod("dev", nil), pod("prod", nil), 5432), false, false},      // another Pod beside it
		{tcp(pod("dev", nil), pod("prod-eu", proxy), 5432), false, false}, // another namespace
		{tcp(pod("prod", proxy), pod("dev", nil), 5432), false, false},    // back
		{tcp(pod("prod-eu", nil), pod("prod", proxy), 5432), true, true},  // its own side
		{tcp(pod("staging", nil), host("10.20.0.9"), 5432), true, false},
		{tcp(pod("dev", nil), host("10.20.0.9"), 5432), false, false},
		{tcp(pod("staging", nil), host("10.20.0.10"), 5432), false, false}, // expired
	} {
		for when, p := range map[string]*firewall.Plan{"now": firewall.Compile(in), "later": firewall.Compile(later)} {
			want := map[string]bool{"now": c.now, "later": c.later}[when]
			if got := evaluate(t, policies(p), []question{c.q})[0].passes(); got != want {
				t.Errorf("%s: %s to %s %v passes: %t, want %t", when, c.q.From, c.q.To, c.q.To.PodLabels, got, want)
			}
		}
	}
}

// A namespace that appears after the policies were written is kept from Production, whatever it is.
func TestUnknownNamespace(t *testing.T) {
	p := plan(t, "story")
	questions := []question{
		tcp(pod("new", nil), pod("prod", nil), 8080), tcp(pod("prod", nil), pod("new", nil), 8080),
		tcp(pod("new", nil), pod("dev", nil), 8080), tcp(pod("dev", nil), pod("new", nil), 8080),
	}
	for i, want := range []bool{false, false, true, true} {
		if got := evaluate(t, policies(p), questions)[i].passes(); got != want {
			t.Errorf("%s to %s passes: %t, want %t", questions[i].From, questions[i].To, got, want)
		}
	}
}

// Why a plan must know the ranges of Pods: what is open to the world would be open to every Pod, where a plugin lets a range stand for Pods.
func TestWithoutPodRanges(t *testing.T) {
	c := story(t, "story")
	c.Nodes = nil
	p := firewall.Compile(c.input())
	if a := evaluate(t, policies(p), []question{tcp(pod("dev", nil), pod("prod", nil), 8080)})[0]; !a.passes() {
		t.Error("it is kept apart all the same, so the obstacle is none")
	}
	want := "The addresses of Pods are not known, since no node states spec.podCIDRs; set firewall.podCIDRs of the chart, or --pod-cidr. Without them the policies would let everybody reach every Pod by its address."
	if got := p.Obstacles(); !slices.Equal(got, []string{want}) {
		t.Errorf("obstacles %q, want %q", got, want)
	}
}

func addrPort(t *testing.T, text string) netip.AddrPort {
	t.Helper()
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
