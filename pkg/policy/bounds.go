package policy

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	kjson "sigs.k8s.io/json"
)

func autoscalerKind() schema.GroupKind {
	return schema.GroupKind{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"}
}
func budgetKind() schema.GroupKind {
	return schema.GroupKind{Group: "policy", Kind: "PodDisruptionBudget"}
}

// bounds says, as a predicate, how an autoscaler or a disruption budget takes away more than the environment allows. It is empty if it
// does not.
func (c *PreparedRequest) bounds() string {
	if !c.boundsAreJudged() {
		return ""
	}
	switch {
	case c.isKind(autoscalerKind()):
		return c.autoscales(c.Production())
	case c.isKind(budgetKind()) && c.blocksEvictions(c.new) && !c.blocksEvictions(c.old):
		return "lets no Pod be evicted, so that no node can be drained"
	}
	return ""
}

// boundsAreJudged reports whether the requester changes what an object in Production asks for. Kubernetes' own controllers are not
// judged: they only follow it.
func (c *PreparedRequest) boundsAreJudged() bool {
	return len(c.Production()) > 0 && !c.outsider && !c.requester.Controller && c.new != nil && c.req.SubResource == "" && !sameBody(c.new, c.old)
}

// blocksEvictions reports whether a disruption budget lets none of its Pods be evicted.
func (c *PreparedRequest) blocksEvictions(o *object) bool {
	var b struct {
		Spec struct {
			MinAvailable   *intstr.IntOrString   `json:"minAvailable"`
			MaxUnavailable *intstr.IntOrString   `json:"maxUnavailable"`
			Selector       *metav1.LabelSelector `json:"selector"`
		} `json:"spec"`
	}
	if o == nil || kjson.UnmarshalCaseSensitivePreserveInts(o.raw, &b) != nil {
		return false
	}
	if n := b.Spec.MaxUnavailable; n != nil {
		return n.Type == intstr.Int && n.IntVal <= 0 || n.Type == intstr.String && strings.Trim(n.StrVal, "0") == "%"
	}
	n := b.Spec.MinAvailable
	switch {
	case n == nil:
		return false
	case n.Type == intstr.String:
		return n.StrVal == "100%"
	}
	sel, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
	if err != nil {
		return false
	}
	running := c.view.Running(c.req.Namespace, sel)
	return running > 1 && int64(n.IntVal) >= running // with one Pod, a budget can ask for nothing else
}
