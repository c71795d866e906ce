package firewall

import (
	"fmt"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// By these Firebreak knows the policies that it has made. An object counts as its own if its name begins with NamePrefix and it has both
// labels, with whatever value LabelFirewall has.
const (
	// NamePrefix begins the name of every policy.
	NamePrefix = "firebreak-"
	// LabelManagedBy says who looks after an object; its value is ManagedBy.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	ManagedBy      = "firebreak"
	// LabelFirewall says what a policy is for: the tier of its namespace, or ValueGateway.
	LabelFirewall = "firebreak.dev/firewall"
	// ValueGateway is for policies that let somebody in to a gateway.
	ValueGateway = "Gateway"
)

const (
	firstName     = NamePrefix + "firewall"
	gatewayPrefix = NamePrefix + "gateway-"
)

// partName returns the name of one of the policies of a namespace, which are counted from 0.
func partName(i int) string {
	if i == 0 {
		return firstName
	}
	return fmt.Sprintf("%s-%d", firstName, i+1)
}

// Labels returns the labels of a policy. value is what it is for.
func Labels(value string) map[string]string {
	return map[string]string{LabelManagedBy: ManagedBy, LabelFirewall: value}
}

// Owned reports whether an object is a policy that Firebreak has made, by its name and labels.
func Owned(o metav1.Object) bool {
	_, labelled := o.GetLabels()[LabelFirewall]
	return labelled && o.GetLabels()[LabelManagedBy] == ManagedBy && strings.HasPrefix(o.GetName(), NamePrefix)
}

func policy(namespace, name, value string, spec networkingv1.NetworkPolicySpec) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: "NetworkPolicy"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: Labels(value)},
		Spec:       spec,
	}
}

// Same reports whether a stored policy does what one of a plan does, and has its labels.
func Same(stored, wanted *networkingv1.NetworkPolicy) bool {
	for k, v := range wanted.Labels {
		if stored.Labels[k] != v {
			return false
		}
	}
	return equality.Semantic.DeepEqual(stored.Spec, wanted.Spec)
}

// Difference is what would change where the policies of a cluster are made those of a plan.
type Difference struct {
	// Add, Change and Remove are the policies that are missing, are not as the plan has them, or have no place in it.
	Add, Change, Remove []*networkingv1.NetworkPolicy
	// Foreign are policies of others that have the name of one that is missing. They are left alone.
	Foreign []*networkingv1.NetworkPolicy
}

// None reports whether everything is as the plan has it.
func (d *Difference) None() bool {
	return len(d.Add)+len(d.Change)+len(d.Remove)+len(d.Foreign) == 0
}

// Compare returns what differs between the NetworkPolicies of a cluster, those of others included, and a plan. Each list is in the order of
// namespaces and names, if the stored ones are.
func (p *Plan) Compare(stored []*networkingv1.NetworkPolicy) Difference {
	var d Difference
	have := make(map[string]*networkingv1.NetworkPolicy, len(stored))
	for _, s := range stored {
		have[s.Namespace+"/"+s.Name] = s
	}
	planned := map[string]bool{}
	for _, ns := range p.namespaces {
		for _, w := range p.Policies(ns) {
			key := w.Namespace + "/" + w.Name
			planned[key] = true
			switch s := have[key]; {
			case s == nil:
				d.Add = append(d.Add, w)
			case !Owned(s):
				d.Foreign = append(d.Foreign, s)
			case !Same(s, w):
				d.Change = append(d.Change, w)
			}
		}
	}
	for _, s := range stored {
		if Owned(s) && !planned[s.Namespace+"/"+s.Name] {
			d.Remove = append(d.Remove, s)
		}
	}
	return d
}
