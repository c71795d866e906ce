package policy

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// whyRunsAreMaintenance says why each run that the schedule of a CronJob starts will be maintenance, although the CronJob itself is not; it is
// empty if they will not, or if the request is about something else.
func (c *PreparedRequest) whyRunsAreMaintenance() string {
	if c.req.Kind.GroupKind() != batchv1.SchemeGroupVersion.WithKind("CronJob").GroupKind() || c.req.SubResource != "" || c.req.Operation == Delete || c.new == nil || c.new.work == nil ||
		c.maintenance != "" || len(c.Production()) == 0 || c.outsider || c.same {
		return ""
	}
	if c.req.Operation == Update && !c.req.Stored && c.old != nil && sameTemplate(c.new.work, c.old.work) {
		return ""
	}
	controls := estate.StrictestControls(c.Production())
	return c.whyRunIsMaintenance(&controls)
}

// uncoveredRuns warns of a CronJob whose runs no window has in scope: it would be admitted without a word, and each run refused where nobody
// looks.
func (c *PreparedRequest) uncoveredRuns(j *Judgement) []Finding {
	why := c.whyRunsAreMaintenance()
	if why == "" {
		return nil
	}
	prod := c.Production()
	q := &change.Query{
		At: c.At(), Cluster: c.est.Cluster, FirebreakNamespace: c.est.FirebreakNamespace, Environments: names(prod), Controls: estate.StrictestControls(prod),
		Group: "batch", Kind: "Job", Namespace: c.req.Namespace, Name: c.req.Name + "-", Operations: []v1alpha1.Operation{v1alpha1.OperationCreate},
		MadeBy: &v1alpha1.Maker{Group: "batch", Kind: "CronJob", Name: c.req.Name},
	}
	if slices.ContainsFunc(j.state.Windows, func(w v1alpha1.ChangeWindow) bool { return change.Recurs(&w, q) }) {
		return nil
	}
	return []Finding{{
		Rule: v1alpha1.RuleChangeWindowRequired, Class: ChangeControl, Action: v1alpha1.ActionWarn, Environment: prod[0].Name,
		Message: fmt.Sprintf("each run that its schedule starts is maintenance in %s, since %s, and no window that recurs has them in scope: they will be refused", named(prod), why),
		Remedy:  fmt.Sprintf("request a window for them: kubectl firebreak request -f MANIFEST -n %s --cron SCHEDULE --time-zone ZONE --valid-until TIME", c.req.Namespace),
	}}
}
