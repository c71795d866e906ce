// Netpol answers whether network policies let traffic pass. It knows nothing of Firebreak: what they mean is decided by the interpreter of
// Cyclonus, with which network plugins are tested.
//
// It reads a JSON object from standard input, with policies and questions, and writes a JSON list of answers in the order of the questions.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// question asks whether one end may send to a port of the other.
type question struct {
	From     end             `json:"from"`
	To       end             `json:"to"`
	Port     int             `json:"port"`
	Protocol corev1.Protocol `json:"protocol"`
}

// end is a Pod, or a host outside of the cluster if it has no namespace.
type end struct {
	IP              string            `json:"ip"`
	Namespace       string            `json:"namespace"`
	NamespaceLabels map[string]string `json:"namespaceLabels"`
	PodLabels       map[string]string `json:"podLabels"`
}

// answer says what the policies at either end let pass.
type answer struct {
	Egress  bool `json:"egress"`
	Ingress bool `json:"ingress"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "netpol:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var asked struct {
		Policies  []*networkingv1.NetworkPolicy `json:"policies"`
		Questions []question                    `json:"questions"`
	}
	d := json.NewDecoder(in)
	d.DisallowUnknownFields()
	if err := d.Decode(&asked); err != nil {
		return fmt.Errorf("read the questions: %w", err)
	}
	policies := matcher.BuildNetworkPolicies(false, asked.Policies)
	answers := make([]answer, len(asked.Questions))
	for i, q := range asked.Questions {
		r := policies.IsTrafficAllowed(&matcher.Traffic{Source: q.From.peer(), Destination: q.To.peer(), ResolvedPort: q.Port, Protocol: q.Protocol})
		answers[i] = answer{Egress: r.Egress.IsAllowed(), Ingress: r.Ingress.IsAllowed()}
	}
	return json.NewEncoder(out).Encode(answers)
}

func (e *end) peer() *matcher.TrafficPeer {
	p := &matcher.TrafficPeer{IP: e.IP}
	if e.Namespace != "" {
		p.Internal = &matcher.InternalPeer{Namespace: e.Namespace, NamespaceLabels: e.NamespaceLabels, PodLabels: e.PodLabels}
	}
	return p
}
