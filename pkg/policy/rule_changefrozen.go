package policy

import (
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// changeFrozen objects to a change during a freeze. A freeze wins over every window but an approved Emergency one that
// overrides it.
func changeFrozen(c *PreparedRequest, j *Judgement) []Finding {
	f := j.freeze
	if f == nil || j.overridden() {
		return nil
	}
	prod := c.concerned()
	return []Finding{{
		Rule: v1alpha1.RuleChangeFrozen, Action: estate.Strictest(prod, v1alpha1.RuleChangeFrozen),
		Target: f.Name, Environment: prod[0].Name,
		Message: change.FreezeInForce(f, named(prod), c.At()), Remedy: c.wayOut(j),
	}}
}

// freeze returns the freeze that binds the request, or nil if none does.
func (c *PreparedRequest) freeze(s *change.State) *v1alpha1.ChangeFreeze {
	changes, everything := c.freezable(), c.stoppable()
	if !changes && !everything {
		return nil
	}
	return change.Frozen(binding(s.Freezes, changes, everything), names(c.concerned()), c.req.Namespace, c.At())
}

// knownUnfrozen reports whether the request is a machine's routine, and no freeze is known that could bind it. Reading the freezes costs a
// tenth of a second in a cluster with many writes, for an API server answers such a read once its cache has caught up. Operators write
// all the time; it is soon enough if a new freeze stops them some milliseconds late.
func (c *PreparedRequest) knownUnfrozen() bool {
	if !c.operates() && !c.launches() && !c.autoscaler() {
		return false
	}
	return c.freeze(&change.State{Freezes: c.view.Freezes()}) == nil
}

// overridden reports whether the window that the request is admitted under overrides the freeze.
func (j *Judgement) overridden() bool {
	a := j.frozen()
	return a.nearest != nil && a.nearest.Overrides(a.query)
}

// wayOut returns the ways out of a freeze: to have an emergency that overrides it approved or, without one, to wait, to have it lifted, or to
// open one.
func (c *PreparedRequest) wayOut(j *Judgement) string {
	a := j.frozen()
	if !a.covered() || a.nearest.Window.Spec.Type != v1alpha1.WindowEmergency || !a.nearest.Window.Spec.OverridesFreeze {
		lift := "have the freeze lifted: kubectl firebreak unfreeze " + j.freeze.Name
		if !c.requester.Person {
			return "wait until it is over, or " + lift
		}
		return lift + ", or: kubectl firebreak emergency --override-freeze" + c.inNamespace()
	}
	missing := max(1, int(a.query.Controls.RequiredApprovals)) - len(a.nearest.Approvals.Names)
	return a.haveApproved(max(1, missing))
}

// binding returns the freezes whose level binds a request.
func binding(all []v1alpha1.ChangeFreeze, changes, everything bool) []v1alpha1.ChangeFreeze {
	return slices.DeleteFunc(slices.Clone(all), func(f v1alpha1.ChangeFreeze) bool {
		if f.Spec.Level == v1alpha1.FreezeEverything {
			return !everything && !changes
		}
		return !changes
	})
}

// stoppable reports whether a freeze of level Everything could bind the request: every write in Production except those of Kubernetes' own
// controllers, the writes of their autoscaler, and sessions, in which anything may be changed. Evictions are not changes.
func (c *PreparedRequest) stoppable() bool {
	if len(c.concerned()) == 0 || c.same || c.outsider || c.req.Kind.Group == v1alpha1.GroupName {
		return false
	}
	if what, _ := c.session(); what != "" || c.req.Operation == Connect {
		return what != ""
	}
	if c.req.SubResource != "scale" && !c.writes() {
		return false
	}
	return !c.requester.Controller || c.autoscaler()
}

// freezable reports whether a freeze of level Changes could bind the request: maintenance by any requester, and changes.
func (c *PreparedRequest) freezable() bool {
	if len(c.concerned()) == 0 || c.same || c.outsider {
		return false
	}
	return c.maintenance != "" || c.changes()
}

// changes reports whether a person, CI or GitOps changes what runs in Production, or what decides on it: workload templates,
// configuration, RBAC, routes, and custom resources of any kind. Keeping things running is not a change: Pods of existing workloads,
// evictions, autoscaling, renewals by operators.
func (c *PreparedRequest) changes() bool {
	if len(c.Production()) == 0 || c.same || c.outsider || c.requester.Controller || c.operates() || !c.writes() {
		return false
	}
	if c.isKind(podKind()) && c.req.Operation == Delete || c.isKind(podKind(), jobKind()) && c.launches() {
		return false
	}
	return c.bindable() && (c.req.Operation != Update || c.changesMatter())
}

// writes reports whether the request writes the object itself, or the resources that a Pod may use.
func (c *PreparedRequest) writes() bool {
	return c.req.SubResource == "" || c.req.SubResource == "resize"
}

// bindable reports whether writing an object of its kind changes anything that runs: all kinds do, except Firebreak's own, whose rules are
// elsewhere, and those by which programs only talk to each other.
func (c *PreparedRequest) bindable() bool {
	gk := c.req.Kind.GroupKind()
	switch gk.Group {
	case v1alpha1.GroupName, "coordination.k8s.io", "events.k8s.io", "authentication.k8s.io", "authorization.k8s.io":
		return false
	case "":
		return gk.Kind != "Event" && gk.Kind != "Binding" && gk.Kind != "Namespace"
	}
	// Scaling is not a change, so bounding it is not one either.
	return c.req.Operation != Connect && !c.isKind(autoscalerKind(), budgetKind())
}

func isData(gk schema.GroupKind) bool {
	return gk.Group == "" && (gk.Kind == "ConfigMap" || gk.Kind == "Secret")
}

// changesMatter reports whether an update changes anything that a freeze holds up. An update of labels or replicas passes.
func (c *PreparedRequest) changesMatter() bool {
	gk := c.req.Kind.GroupKind()
	switch {
	case c.adopted():
		return true // the garbage collector deletes it with its new owner
	case workload.HasTemplate(gk):
		return !sameTemplate(c.new.work, c.old.work) || c.starts() || !c.isKind(podKind()) && !sameBesides(c.new, c.old)
	case isData(gk):
		return !sameData(c.new.data, c.old.data) || !maps.Equal(reference.Replicating(c.new.meta.Annotations), reference.Replicating(c.old.meta.Annotations))
	case gk == schema.GroupKind{Group: "discovery.k8s.io", Kind: "EndpointSlice"} && !maps.Equal(c.new.meta.Labels, c.old.meta.Labels):
		return true // they say which Service leads there
	}
	return !sameBody(c.new, c.old) || acts(gk) && !maps.Equal(acting(c.new), acting(c.old))
}

// adopted reports whether an update names an owner that the object did not have.
func (c *PreparedRequest) adopted() bool {
	return slices.ContainsFunc(c.new.meta.OwnerReferences, func(o metav1.OwnerReference) bool {
		return !slices.ContainsFunc(c.old.meta.OwnerReferences, func(p metav1.OwnerReference) bool { return p.UID == o.UID })
	})
}

// acts reports whether the annotations of a kind say what is done with it: where a route leads, as whom an account acts, and what an
// operator does with its resources.
func acts(gk schema.GroupKind) bool {
	return gk == schema.GroupKind{Kind: "ServiceAccount"} || reference.RoutesOf(gk) || !builtIn(gk.Group)
}

// acting returns the annotations that something may act on, but for those that ask a controller to look again, or to restart what
// runs.
func acting(o *object) map[string]string {
	out := reference.Acting(o.meta.Annotations)
	maps.DeleteFunc(out, func(key, _ string) bool {
		_, name, _ := strings.Cut(strings.ToLower(key), "/")
		return key == restartedAt || name == "refresh" || name == "requestedat" || name == "force-sync"
	})
	return out
}

// sameBesides reports whether two workloads are the same apart from their templates and numbers of replicas. Pausing or suspending a
// workload is not a change.
func sameBesides(a, b *object) bool {
	x, y := bodyOf(a), bodyOf(b)
	for _, m := range []map[string]any{x, y} {
		spec := copied(m, "spec")
		delete(spec, "replicas")
		delete(spec, "template")
		if job := copied(spec, "jobTemplate"); job != nil {
			delete(copied(job, "spec"), "template")
			delete(job, "metadata")
		}
	}
	before, _ := y["spec"].(map[string]any)
	after, _ := x["spec"].(map[string]any)
	for _, held := range []string{"paused", "suspend"} {
		if after[held] == true {
			delete(after, held)
			delete(before, held)
		}
		if after[held] == false {
			delete(after, held) // as if it were not set
		}
		if before[held] == false {
			delete(before, held)
		}
	}
	return x != nil && y != nil && equalJSON(x, y)
}

// bodyOf returns the fields of an object without its metadata and status, or nil if it is not an object.
func bodyOf(o *object) map[string]any {
	out := maps.Clone(o.generic())
	delete(out, "metadata")
	delete(out, "status")
	return out
}

// copied replaces a field that is an object by a copy of it, which may be written to, and returns the copy, or nil if it is not an object.
func copied(m map[string]any, field string) map[string]any {
	of, ok := m[field].(map[string]any)
	if !ok {
		return nil
	}
	of = maps.Clone(of)
	m[field] = of
	return of
}

// sameBody reports whether two objects are the same apart from their metadata and status.
func sameBody(a, b *object) bool {
	if a == nil || b == nil {
		return false
	}
	x, y := bodyOf(a), bodyOf(b)
	return x != nil && y != nil && equalJSON(x, y)
}

// inNamespace returns the flag by which a command names the request's namespace; it is empty if there is none.
func (c *PreparedRequest) inNamespace() string {
	if c.req.Namespace == "" {
		return ""
	}
	return " -n " + c.req.Namespace
}
