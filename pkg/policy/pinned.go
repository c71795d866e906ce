package policy

import (
	"fmt"
	"slices"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// knownRuns finds the runs that were approved with the content of the ConfigMap that the request changes. Which of them have ended is
// missing until it was read: a Job may have been deleted, and its execution does not tell.
func (c *PreparedRequest) knownRuns() {
	if !c.isKind(configMapKind()) || len(c.Production()) == 0 || c.requester.Controller || c.req.Operation == Update && sameData(c.new.data, c.old.data) {
		return
	}
	all := c.view.PinnedBy(c.req.Namespace, c.req.Name)
	if len(all) == 0 {
		return
	}
	slices.SortStableFunc(all, func(a, b v1alpha1.ChangeExecution) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) }) // the latest first
	if !c.req.Facts.RunsRead {
		m := Missing{}
		for i := range all[:min(len(all), maxRuns)] {
			m.Runs = append(m.Runs, all[i].Spec.Object)
		}
		c.lack(m)
		return
	}
	for i, x := range all {
		if i >= maxRuns || slices.Contains(c.req.Facts.Running, x.Spec.Object.UID) {
			c.runs = append(c.runs, x)
		}
	}
}

// maxRuns is how many runs are looked at; further ones count as running.
const maxRuns = 32

// pinnedDemand returns the demand that the window of a run that has not ended permits the change of a ConfigMap which that run was approved
// with.
func pinnedDemand(c *PreparedRequest) *Demand {
	if len(c.runs) == 0 {
		return nil
	}
	d := &Demand{Why: c.whyPinned(), Environments: c.Production(), Operation: c.operation()}
	for _, x := range c.runs {
		if !slices.Contains(d.Under, x.Spec.Window.UID) {
			d.Under = append(d.Under, x.Spec.Window.UID)
		}
	}
	d.Barred = len(d.Under) > 1 // no one window permits it for runs of several
	return d
}

func (c *PreparedRequest) whyPinned() string {
	x := &c.runs[0].Spec
	return fmt.Sprintf("%s %q was approved in window %q with the present content of this ConfigMap, and has not ended", x.Object.Kind, x.Object.Name, x.Window.Name)
}

// pinnedFinding objects to the change of what a run was approved with, until the run has ended.
func (c *PreparedRequest) pinnedFinding(j *Judgement) []Finding {
	d := c.demanded(v1alpha1.RulePlanMismatch)
	if d == nil || j.to(d).covered() {
		return nil
	}
	f := c.demandFinding(d, j, d.Why)
	x := &c.runs[0].Spec
	f.Target = x.Window.Namespace + "/" + x.Window.Name
	f.Remedy = fmt.Sprintf("wait until %s %q has ended, or delete it first", x.Object.Kind, x.Object.Name)
	return []Finding{f}
}

// pinned returns the ConfigMaps whose content is pinned by the plan of the run that a window permits; they stay as they are until it ends.
func (c *PreparedRequest) pinned(q *change.Query, v *change.Verdict) []string {
	if q.Plan == nil || v.Window.Spec.Plan == nil || c.req.Operation != Create || !c.isKind(jobKind(), podKind()) {
		return nil
	}
	return change.ConfigMapsOf(c.templates()...)
}
