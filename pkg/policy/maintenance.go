package policy

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy/tools"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

func podKind() schema.GroupKind { return schema.GroupKind{Kind: "Pod"} }
func jobKind() schema.GroupKind { return schema.GroupKind{Group: "batch", Kind: "Job"} }

// classify notes whether the request is maintenance in Production, and why.
func (c *PreparedRequest) classify() {
	prod := c.concerned()
	if c.req.SubResource == "scale" {
		c.maintenance = c.whyScaleIsMaintenance()
		return
	}
	if len(prod) == 0 || c.outsider || c.new == nil {
		return
	}
	controls := estate.StrictestControls(prod)
	switch {
	case c.runsCustom():
		c.maintenance = c.whyCustomIsMaintenance(&controls)
	case c.new.work != nil && c.starts():
		c.maintenance = c.whyMaintenance(&controls)
	}
	if c.maintenance != "" && controls.Maintenance != v1alpha1.MaintenanceAll && c.harmlessHook(&controls) {
		c.maintenance = ""
		c.hook = fmt.Sprintf("%s is admitted as a deployment hook that touches no data store and runs no maintenance tool; anything more needs a change window", Describe(*c.req))
	}
}

// harmlessHook reports whether the object is a hook of a release that, by all that it says itself, touches no data store and runs no tool.
func (c *PreparedRequest) harmlessHook(controls *estate.Controls) bool {
	return c.isHook() && (c.new.work != nil || !c.borrows()) && !c.touchesStore() && c.tool(controls) == "" && !labelled(c.new)
}

// starts reports whether the request makes something run that did not run so before: the object is created, its template changes, it is
// resumed, it asks for more at once, or it may run for longer or more often.
func (c *PreparedRequest) starts() bool {
	switch {
	case c.req.SubResource != "" && c.req.SubResource != ephemeralContainers:
		return false
	case c.req.Operation == Create:
		return true
	case c.req.Operation != Update || c.old == nil || c.old.work == nil:
		return false
	case !sameTemplate(c.new.work, c.old.work):
		return true
	case c.new.work.RunsToCompletion:
		return c.new.work.Wanted > c.old.work.Wanted || prolonged(c.new.work, c.old.work)
	}
	return c.old.work.Wanted == 0 && c.new.work.Wanted > 0
}

// prolonged reports whether a change lets a run last longer, or be tried or done more often.
func prolonged(now, before *workload.Workload) bool {
	if now.Job == nil || before.Job == nil {
		return false
	}
	return more(now.Job.ActiveDeadlineSeconds, before.Job.ActiveDeadlineSeconds, math.MaxInt64) ||
		more(now.BackoffLimit, before.BackoffLimit, defaultBackoffLimit) || more(now.Completions, before.Completions, 1)
}

// defaultBackoffLimit is that of Kubernetes.
const defaultBackoffLimit = 6

// more reports whether a number is raised; without says what an omitted one stands for.
func more[N int32 | int64](now, before *N, without N) bool {
	return ptr.Deref(now, without) > ptr.Deref(before, without)
}

func (c *PreparedRequest) whyMaintenance(controls *estate.Controls) string {
	if c.runsOnce() {
		return c.whyRunIsMaintenance(controls)
	}
	// Everything else that has a template is maintenance if it both names a data store and runs a tool. What Kubernetes' own
	// controllers make of a template was judged when the template was written: a rollout must not hang half-way.
	if c.made == unread {
		return c.whyUnreadIsMaintenance(controls)
	}
	if c.requester.Controller || controls.Maintenance == v1alpha1.MaintenanceLabeled || !c.touchesStore() || c.isKind(podKind(), jobKind()) {
		return ""
	}
	if tool := c.tool(controls); tool != "" {
		return fmt.Sprintf("it runs %s and names %s", tool, c.storeTouched())
	}
	return ""
}

// whyDebuggingIsMaintenance says why adding a container to a running Pod is maintenance; it is empty if it is not. Such a container is a
// session, which needs a window as such, and as maintenance as well if it runs a tool.
func (c *PreparedRequest) whyDebuggingIsMaintenance(controls *estate.Controls) string {
	if controls.Maintenance == v1alpha1.MaintenanceLabeled {
		return ""
	}
	in := c.input()
	in.Template = &workload.Debuggers(c.new.work, c.before()).Template
	if tool := tools.Find(in, controls.MaintenanceTools); tool != "" {
		return fmt.Sprintf("it runs %s in a Pod that runs already", tool)
	}
	return ""
}

// whyUnreadIsMaintenance says why an object that an operator makes of a resource which Firebreak may not read is maintenance; it is empty
// unless the object shows that by itself. An operator that nobody has told Firebreak of must be able to replace its Pods.
func (c *PreparedRequest) whyUnreadIsMaintenance(controls *estate.Controls) string {
	owner := c.new.controller()
	unread := fmt.Sprintf("%s %q, which it is made of, cannot be read: webhook.extraOwners of the chart lacks its kind", owner.Kind, owner.Name)
	switch {
	case labelled(c.new):
		return fmt.Sprintf("it is labelled %s, and %s", v1alpha1.LabelMaintenance, unread)
	case controls.Maintenance == v1alpha1.MaintenanceLabeled || !c.touchesStore():
		return ""
	}
	if tool := c.tool(controls); tool != "" {
		return fmt.Sprintf("it runs %s and names %s, and %s", tool, c.storeTouched(), unread)
	}
	return ""
}

// runsOnce reports whether the object is a Job or a bare Pod. A Pod with a controlling owner is bare too, unless its creator may be
// believed about the owner.
func (c *PreparedRequest) runsOnce() bool {
	switch c.req.Kind.GroupKind() {
	case jobKind():
		switch c.made {
		case planned:
			return false
		case strayed, unowned:
			return c.customOwner() != nil || !c.launches()
		}
		return !c.launches()
	case podKind():
		if c.customOwner() != nil {
			return c.made == strayed || c.made == unowned
		}
		return !c.requester.Controller && !c.launches() && (!c.operates() || !c.ownerExists())
	}
	return false
}

// ownerExists reports whether the controlling owner that an operator names exists with that UID and could have made the object.
// Owners of custom kinds are read live, and are customOwner's business.
func (c *PreparedRequest) ownerExists() bool {
	owner := c.new.controller()
	if owner == nil {
		return false
	}
	gv, err := schema.ParseGroupVersion(owner.APIVersion)
	if err != nil {
		return false
	}
	gk := schema.GroupKind{Group: gv.Group, Kind: owner.Kind}
	if builtIn(gv.Group) {
		if !makes(gk, c.req.Kind.GroupKind()) {
			return false
		}
		_, ok := c.view.Owners(c.req.Namespace, *owner)
		return ok
	}
	return c.req.Stored // the creator of a stored object is not known any more
}

// makes reports whether objects of one kind make objects of another, and requesters other than Kubernetes' own controllers may name them as
// owners.
func makes(owner, of schema.GroupKind) bool {
	k, ok := workload.KindOf(owner)
	return ok && k.Owns() && k.Makes == of
}

func (c *PreparedRequest) whyRunIsMaintenance(controls *estate.Controls) string {
	switch {
	case labelled(c.new):
		return fmt.Sprintf("it is labelled %s", v1alpha1.LabelMaintenance)
	case controls.Maintenance == v1alpha1.MaintenanceLabeled:
		return ""
	case controls.Maintenance == v1alpha1.MaintenanceAll:
		return "every Job and bare Pod is maintenance there"
	}
	var why []string
	if owner := c.new.controller(); c.made == strayed && owner != nil {
		why = append(why, fmt.Sprintf("is not what %s %q has in its templates", owner.Kind, owner.Name))
	}
	if c.touchesStore() {
		why = append(why, "names "+c.storeTouched())
	}
	if tool := c.tool(controls); tool != "" {
		why = append(why, "runs "+tool)
	}
	switch {
	case recurs(c.req.Kind.Kind): // the clock starts it
	case c.requester.Person:
		why = append(why, "is started by a person")
	case c.requester.impersonated():
		why = append(why, "is started by somebody who acts as "+c.requester.String())
	}
	if len(why) == 0 {
		return ""
	}
	return "it " + enumerate(why)
}

func labelled(o *object) bool {
	return o.meta.Labels[v1alpha1.LabelMaintenance] == "true" ||
		o.work != nil && o.work.Template.Labels[v1alpha1.LabelMaintenance] == "true" ||
		slices.ContainsFunc(o.embedded, func(t workload.Template) bool { return t.Labels[v1alpha1.LabelMaintenance] == "true" })
}

// isHook reports whether the object is a hook, which Helm or Argo CD runs as part of a deployment.
func (c *PreparedRequest) isHook() bool {
	a := c.new.meta.Annotations
	return a["helm.sh/hook"] != "" || a["argocd.argoproj.io/hook"] != ""
}

func (c *PreparedRequest) touchesStore() bool { return c.storeTouched() != "" }

// storeTouched names the first production data store that the object refers to; it is empty if there is none.
func (c *PreparedRequest) storeTouched() string { return c.storeIn(c.refs()) }

func (c *PreparedRequest) storeIn(refs []reference.Reference) string {
	for _, r := range refs {
		for _, o := range c.est.Resolve(r.Target, c.req.Namespace).Owners {
			if o.Tier() == v1alpha1.TierProduction {
				return fmt.Sprintf("data store %q", o.Store)
			}
		}
	}
	return ""
}

// tool returns the first maintenance tool that a container would run; it is empty if there is none.
func (c *PreparedRequest) tool(controls *estate.Controls) string {
	in := c.input()
	if c.new.work != nil {
		in.Template = &c.new.work.Template
	}
	in.Embedded = c.new.embedded
	return tools.Find(in, controls.MaintenanceTools)
}

// enumerate joins clauses as a sentence does.
func enumerate(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}
