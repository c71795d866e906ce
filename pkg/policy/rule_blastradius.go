package policy

import (
	"cmp"
	"fmt"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// blastDemand returns a demand for changing more at once than the environment allows. It is barred for requesters that scale by
// themselves: they have nobody who requests a window.
func blastDemand(c *PreparedRequest) *Demand {
	why := c.blast()
	if why == "" {
		return nil
	}
	return &Demand{Why: why, Environments: c.Production(), Operation: c.scaling(), Barred: c.scalesByItself()}
}

// blastRadius objects to scaling that removes or adds more at once than the environment allows, unless an open window
// covers it. Autoscalers are bounded by their own minimum and maximum, and the operators that the environment lists scale by
// what they watch: a window would not help them, so the environment says what happens to them.
func blastRadius(c *PreparedRequest, j *Judgement) []Finding {
	d := c.demanded(v1alpha1.RuleBlastRadius)
	switch {
	case d == nil:
		return nil
	case d.Barred:
		return []Finding{{
			Rule: d.rule, Action: autoscalerAction(d.Environments), Target: c.req.Name, Environment: d.Environments[0].Name,
			Message: fmt.Sprintf("this %s, which %s does not allow at once", d.Why, named(d.Environments)),
			Remedy:  "bound what scales it, or let it go in smaller steps",
		}}
	case j.spoken(d):
		return nil
	}
	f := c.demandFinding(d, j, fmt.Sprintf("this %s, which %s does not allow at once", d.Why, named(d.Environments)))
	f.Remedy = c.smallerSteps() + f.Remedy
	return []Finding{f}
}

// smallerSteps returns the beginning of the advice to somebody who scales by hand. It is empty for taking away one replica: there is no
// smaller step.
func (c *PreparedRequest) smallerSteps() string {
	if before, after, ok := c.scaled(); !ok || before-after == 1 {
		return ""
	}
	return "do it in smaller steps, or "
}

func autoscalerAction(prod []*estate.Environment) v1alpha1.Action {
	return estate.StrictestAction(prod, func(e *estate.Environment) v1alpha1.Action {
		return estate.BlastRadiusOf(e.Spec().ChangeControl).Autoscalers
	})
}

// scalesByItself reports whether the requester is Kubernetes' own autoscaler, or an operator, which scales or rolls out by itself.
func (c *PreparedRequest) scalesByItself() bool { return c.autoscaler() || c.operates() }

const autoscalerAccount = "horizontal-pod-autoscaler"

func (c *PreparedRequest) autoscaler() bool {
	return c.requester.Controller && c.requester.Account == autoscalerAccount
}

// blast says, as a predicate, how a request goes beyond the bounds by scaling, or by what it lets an autoscaler or an eviction do; it is
// empty if it does not.
func (c *PreparedRequest) blast() string { return cmp.Or(c.overscales(), c.bounds()) }

// overscales says how a request scales beyond the bounds; it is empty if it does not, or if it is a rollout of Kubernetes' own
// controllers.
func (c *PreparedRequest) overscales() string {
	prod := c.Production()
	if len(prod) == 0 || c.outsider || c.req.Operation != Update || c.requester.Controller && !c.autoscaler() {
		return ""
	}
	before, after, ok := c.scaled()
	if !ok || before == after {
		return ""
	}
	for _, e := range prod {
		if what := beyond(estate.BlastRadiusOf(e.Spec().ChangeControl), before, after); what != "" {
			return what
		}
	}
	return ""
}

// beyond says which bound of an Environment a change of replicas goes beyond; it is empty if there is none.
func beyond(b estate.BlastRadius, before, after int64) string {
	switch {
	case before == 0 && after > b.FromZero:
		return fmt.Sprintf("scales from 0 to %d, beyond %d", after, b.FromZero)
	case before > 0 && after > before*b.UpFactor && after-before > b.Up:
		return fmt.Sprintf("scales from %d to %d, beyond %d times as many", before, after, b.UpFactor)
	case after < before && (before-after)*100 > before*b.DownPercent:
		return fmt.Sprintf("scales from %d to %d, by more than %d %%", before, after, b.DownPercent)
	}
	return ""
}

// scaled returns how many replicas there were and are to be; ok is false if the request does not set a number of replicas.
func (c *PreparedRequest) scaled() (before, after int64, ok bool) {
	switch {
	case c.req.SubResource == "scale":
		return int64(replicasOf(c.old)), int64(replicasOf(c.new)), true
	case c.req.SubResource != "" || c.new == nil || c.old == nil || c.new.work == nil || c.old.work == nil:
		return 0, 0, false
	case c.new.work.RunsToCompletion || !workload.HasTemplate(c.req.Kind.GroupKind()):
		return 0, 0, false
	}
	return c.old.work.Wanted, c.new.work.Wanted, true
}
