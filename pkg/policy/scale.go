package policy

import (
	"fmt"
	"slices"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy/tools"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// whyScaleIsMaintenance says why scaling a workload up from zero is maintenance; it is empty if it is not. A workload that was written at
// zero and is scaled up through its scale subresource runs then, not before, so it is judged then. The payload has no template; the
// workload's own is looked up. Autoscalers never scale from zero by themselves, and Kubernetes' own controllers do no maintenance.
func (c *PreparedRequest) whyScaleIsMaintenance() string {
	if len(c.Production()) == 0 || c.outsider || c.requester.Controller || c.req.Operation != Update ||
		replicasOf(c.old) != 0 || replicasOf(c.new) == 0 {
		return ""
	}
	p, ok := c.view.ScaledWorkloads(c.req.Namespace, c.scaledKind().Kind, c.req.Name)
	if !ok {
		return ""
	}
	tool := p.tool(estate.StrictestControls(c.Production()).MaintenanceTools)
	if tool == "" {
		return ""
	}
	store := c.storeIn(p.References)
	switch {
	case store != "":
	case p.Partial || len(p.Unread) > 0 || slices.ContainsFunc(p.Prints, c.est.Declares):
		return fmt.Sprintf("it starts what runs %s from zero, and nobody can tell what that names: it holds more than can be remembered", tool)
	default:
		return ""
	}
	return fmt.Sprintf("it starts what runs %s and names %s from zero", tool, store)
}

// tool returns the maintenance tool that a stored template runs, as far as its programs are remembered; it is empty if there is none.
func (p *ScaledWorkload) tool(more []string) string {
	tool := tools.First(slices.Values(p.Programs), more)
	if tool == "" && (p.Partial || len(p.Programs) == tools.MaxPrograms) {
		return "more than can be remembered"
	}
	return tool
}

func replicasOf(o *object) int32 {
	var s autoscalingv1.Scale
	if o == nil || kjson.UnmarshalCaseSensitivePreserveInts(o.raw, &s) != nil {
		return 0
	}
	return s.Spec.Replicas
}

// scaledKind returns the kind of the workload whose scale is written; for a custom resource it has only the group.
func (c *PreparedRequest) scaledKind() schema.GroupKind {
	if k, ok := workload.KindOfResource(c.req.Resource.GroupResource()); ok && k.Scaled {
		return k.GroupKind
	}
	return schema.GroupKind{Group: c.req.Resource.Group}
}
