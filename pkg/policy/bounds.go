package policy

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/estate"
)

func autoscalerKind() schema.GroupKind {
	return schema.GroupKind{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"}
}
func budgetKind() schema.GroupKind {
	return schema.GroupKind{Group: "policy", Kind: "PodDisruptionBudget"}
}

// bounds says, as a predicate, how an autoscaler or a disruption budget is written so that it takes away more than the
// environment allows; empty: it does not.
func (c *Case) bounds() string {
	prod := c.Production()
	if len(prod) == 0 || c.outsider || c.requester.Controller || c.new == nil || c.req.SubResource != "" || sameBody(c.new, c.old) {
		return ""
	}
	switch {
	case c.isKind(autoscalerKind()):
		return c.autoscales(prod)
	case c.isKind(budgetKind()) && c.blocksEvictions(c.new) && !c.blocksEvictions(c.old):
		return "lets no Pod be evicted, so that no node can be drained"
	}
	return ""
}

// autoscales compares the bounds of an autoscaler with what its workload asks for, and asked for within the last hour: in small
// steps as well, it must not take away what one step may not.
func (c *Case) autoscales(prod []*estate.Environment) string {
	var a struct {
		Spec struct {
			ScaleTargetRef struct {
				Kind string `json:"kind"`
				Name string `json:"name"`
			} `json:"scaleTargetRef"`
			MinReplicas *int64 `json:"minReplicas"`
			MaxReplicas int64  `json:"maxReplicas"`
		} `json:"spec"`
	}
	if kjson.UnmarshalCaseSensitivePreserveInts(c.new.raw, &a) != nil || c.world.Parents == nil {
		return ""
	}
	p, ok := c.world.Parents(c.req.Namespace, a.Spec.ScaleTargetRef.Kind, a.Spec.ScaleTargetRef.Name)
	if !ok {
		return ""
	}
	least, most := int64(1), a.Spec.MaxReplicas
	if a.Spec.MinReplicas != nil {
		least = *a.Spec.MinReplicas
	}
	peak := max(p.Replicas, p.Peak)
	for _, e := range prod {
		b := estate.BlastRadiusOf(e.Spec().ChangeControl)
		switch {
		case most < peak && (peak-most)*100 > peak*b.DownPercent:
			return fmt.Sprintf("lets at most %d run where %d did within the last hour, fewer by more than %d %%", most, peak, b.DownPercent)
		case p.Replicas > 0 && least > p.Replicas*b.UpFactor && least-p.Replicas > b.Up:
			return fmt.Sprintf("has at least %d run where %d do, beyond %d times as many", least, p.Replicas, b.UpFactor)
		}
	}
	return ""
}

// blocksEvictions reports whether a disruption budget lets none of its Pods be evicted.
func (c *Case) blocksEvictions(o *object) bool {
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
	if err != nil || c.world.Running == nil {
		return false
	}
	running := c.world.Running(c.req.Namespace, sel)
	return running > 1 && int64(n.IntVal) >= running // of one, no more can be asked
}
