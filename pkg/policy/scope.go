package policy

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// concerned returns the Production environments that the request changes: those of its namespace or, if it runs something in a namespace
// that both sides share, those whose data stores it names.
func (c *PreparedRequest) concerned() []*estate.Environment {
	if prod := c.Production(); len(prod) > 0 {
		return prod
	}
	return c.worksOn
}

// shared returns the Production environments whose data stores are named by an object that runs something in a Shared namespace.
func (c *PreparedRequest) shared() []*estate.Environment {
	if c.new == nil || c.new.work == nil && !c.runsTemplates() || c.membership.Tier != v1alpha1.TierShared && !c.runsNowhere() {
		return nil
	}
	var out []*estate.Environment
	for _, env := range c.est.Production() {
		for _, r := range c.new.refs {
			if ownedBy(c.est.Resolve(r.Target, c.req.Namespace).Owners, env) {
				out = append(out, env)
				break
			}
		}
	}
	return out
}

// runsNowhere reports whether the object is a custom resource without a namespace: its controller may run something in any namespace.
func (c *PreparedRequest) runsNowhere() bool {
	return c.req.Namespace == "" && !builtIn(c.req.Kind.Group)
}

func ownedBy(owners []estate.Owner, env *estate.Environment) bool {
	for _, o := range owners {
		if o.Environment == env {
			return true
		}
	}
	return false
}

// whyScoped says why a request needs a window although it is not maintenance, and for which operation: the environment wants one for every
// change of what runs, or for every write. Both are empty if it needs none. Scope Workloads covers what a freeze of level Changes binds,
// and scaling, but not clearing up and Helm's own records, which every release under GitOps does and no manifest says.
func (c *PreparedRequest) whyScoped() (string, v1alpha1.Operation) {
	prod := c.Production()
	if len(prod) == 0 {
		return "", ""
	}
	switch estate.StrictestControls(prod).Scope {
	case v1alpha1.ScopeWorkloads:
		why := fmt.Sprintf("it changes what runs there, and changeControl.scope is %s", v1alpha1.ScopeWorkloads)
		switch {
		case c.changes() && !c.clearsUp() && !c.keepsRelease():
			return why, c.operation()
		case c.rescales():
			return why, c.scaling()
		}
	case v1alpha1.ScopeEverything:
		session, _ := c.session()
		if c.stoppable() && session == "" && !c.autoscaler() && !c.operates() && !c.launches() {
			return fmt.Sprintf("every write does there, since changeControl.scope is %s", v1alpha1.ScopeEverything), c.operation()
		}
	}
	return "", ""
}

// clearsUp reports whether a Job is deleted that has ended: nothing runs any more, and what GitOps does with a hook or replaces is such a Job.
func (c *PreparedRequest) clearsUp() bool {
	if !c.isKind(jobKind()) || c.req.Operation != Delete {
		return false
	}
	var j batchv1.Job
	return kjson.UnmarshalCaseSensitivePreserveInts(c.old.raw, &j) == nil && slices.ContainsFunc(j.Status.Conditions, func(k batchv1.JobCondition) bool {
		return (k.Type == batchv1.JobComplete || k.Type == batchv1.JobFailed) && k.Status == corev1.ConditionTrue
	})
}

// keepsRelease reports whether a Secret is created or deleted that holds Helm's record of a release and nothing else. No manifest holds it, and what
// the release changes is judged by itself.
func (c *PreparedRequest) keepsRelease() bool {
	o := c.new
	if c.req.Operation == Delete {
		o = c.old
	}
	return c.isKind(secretKind()) && c.req.Operation != Update && helmRelease(o) && len(o.data) == 0
}

// rescales reports whether somebody sets another number of replicas by hand, or its bounds.
func (c *PreparedRequest) rescales() bool {
	if c.requester.Controller || c.operates() || c.outsider || len(c.Production()) == 0 {
		return false
	}
	if c.isKind(autoscalerKind(), budgetKind()) && c.req.SubResource == "" {
		return c.req.Operation != Update || !sameBody(c.new, c.old)
	}
	before, after, ok := c.scaled()
	return ok && before != after
}
