package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

func (c *PreparedRequest) validPlan(path *field.Path, w *v1alpha1.ChangeWindow, controls *estate.Controls) field.ErrorList {
	boundary := w.Namespace == c.est.FirebreakNamespace && len(w.Spec.Scope.Namespaces) == 0
	if open := change.WithoutSpec(&w.Spec, boundary); len(open) > 0 && w.Spec.Type != v1alpha1.WindowEmergency {
		return field.ErrorList{field.Required(path, fmt.Sprintf(
			"a window for %s %s says what it is to be; kubectl firebreak request -f MANIFEST fills it in", open[0].Kind, joined(open[0].Names)))}
	}
	if by := change.WithoutUID(&w.Spec, boundary); len(by) > 0 && w.Spec.Type != v1alpha1.WindowEmergency {
		return field.ErrorList{field.Required(field.NewPath("spec", "scope", "resources"), fmt.Sprintf(
			"a window that deletes %s %s gives uids, so that it deletes no other of that name; kubectl firebreak request fills them in", by[0].Kind, joined(by[0].Names)))}
	}
	if w.Spec.Plan == nil {
		if controls.RequirePlan && w.Spec.Type != v1alpha1.WindowEmergency && runsSomething(&w.Spec.Scope) {
			return field.ErrorList{field.Required(path, "the environment requires that a window which creates or updates workloads pins what may run; kubectl firebreak request computes it from the manifest")}
		}
		return nil
	}
	var errs field.ErrorList
	for i := range w.Spec.Plan.Workloads {
		errs = append(errs, validEntry(path.Child("workloads").Index(i), &w.Spec.Plan.Workloads[i])...)
	}
	return errs
}

// validEntry checks one entry of a plan: that its digest is of the present algorithm, and that of the fields which the approver reads.
func validEntry(path *field.Path, p *v1alpha1.PlannedWorkload) field.ErrorList {
	runs := workload.HasTemplate(schema.GroupKind{Group: p.Group, Kind: p.Kind})
	switch digest := path.Child("digest"); {
	case p.MadeBy != nil && (p.Group != "batch" || p.Kind != "Job" || p.MadeBy.Group != "batch" || p.MadeBy.Kind != "CronJob"):
		return field.ErrorList{field.Invalid(path.Child("madeBy"), p.MadeBy.Kind+" "+p.MadeBy.Name, "is for the Jobs that the schedule of a CronJob starts, and for nothing else")}
	case p.MadeBy != nil && p.Rollback:
		return field.ErrorList{field.Forbidden(path.Child("rollback"), "what a schedule starts has no way back")}
	case runs && !strings.HasPrefix(p.Digest, change.PlanVersion+":"):
		return field.ErrorList{field.Invalid(digest, p.Digest, fmt.Sprintf(
			"is of another algorithm than %s, which pins all that decides what runs; request the window with kubectl firebreak of this version", change.PlanVersion))}
	case len(p.Fields) > 0 && !change.ConsistentPlan(p):
		// Otherwise the approver would read fields that are not what the digest pins.
		return field.ErrorList{field.Invalid(digest, p.Digest, "is not the digest of the fields beside it")}
	case len(p.UIDs) > 0:
		return field.ErrorList{field.Forbidden(path.Child("uids"), "what is deleted is said in the scope")}
	}
	return validImages(path.Child("images"), p)
}

// validImages checks that each list of images is for an image that the plan names.
func validImages(path *field.Path, p *v1alpha1.PlannedWorkload) field.ErrorList {
	for i, l := range p.Images {
		if !slices.ContainsFunc(change.Images(p.Fields), func(image string) bool {
			name, digest, _ := change.ImageName(image)
			return name == l.Repository && slices.Contains(l.Digests, digest)
		}) {
			return field.ErrorList{field.Invalid(path.Index(i), l.Repository, "the plan names no image of this repository with one of these digests")}
		}
	}
	return nil
}

// validWayBack checks that only a window that opens once has a way back, and that the way back stays open for no longer than a window may.
func validWayBack(spec *field.Path, w *v1alpha1.ChangeWindow, controls *estate.Controls) field.ErrorList {
	path, within := spec.Child("rollbackWithin"), w.Spec.RollbackWithin
	first := -1
	if w.Spec.Plan != nil {
		first = slices.IndexFunc(w.Spec.Plan.Workloads, func(p v1alpha1.PlannedWorkload) bool { return p.Rollback })
	}
	has := first >= 0
	if has {
		path = spec.Child("plan", "workloads").Index(first).Child("rollback")
	}
	switch {
	case within != nil && !has:
		return field.ErrorList{field.Forbidden(path, "no entry of the plan is a way back")}
	case (has || within != nil) && w.Spec.Type != v1alpha1.WindowNormal && w.Spec.Type != "":
		return field.ErrorList{field.Forbidden(path, fmt.Sprintf("a window of type %s has no way back: it opens again, or pins nothing", w.Spec.Type))}
	case within != nil && within.Duration > controls.MaxWindowDuration:
		return field.ErrorList{field.Invalid(path, within.Duration.String(), fmt.Sprintf(
			"the way back would stay open for longer than the %s that the environment allows a window", change.Short(controls.MaxWindowDuration)))}
	}
	return nil
}

// validExtends checks that a window goes on only for one that exists, and for what that one is for: what was used up of it is told by the place
// in its plan.
func validExtends(path *field.Path, w *v1alpha1.ChangeWindow, s *change.State) field.ErrorList {
	of := w.Spec.Extends
	if of == nil {
		return nil
	}
	if w.Spec.Schedule.Recurrence != nil {
		return field.ErrorList{field.Forbidden(path, "a window that recurs opens again by itself, and goes on for no other")}
	}
	i := slices.IndexFunc(s.Windows, func(o v1alpha1.ChangeWindow) bool {
		return o.Namespace == w.Namespace && o.Name == of.Name && string(o.UID) == of.UID && o.Spec.Extends == nil
	})
	if i < 0 {
		return field.ErrorList{field.NotFound(path, of.Name)}
	}
	old := &s.Windows[i].Spec
	if old.Type != w.Spec.Type || old.Environment != w.Spec.Environment || !reflect.DeepEqual(old.Scope, w.Spec.Scope) || !reflect.DeepEqual(old.Plan, w.Spec.Plan) ||
		!reflect.DeepEqual(old.MaxExecutions, w.Spec.MaxExecutions) {
		return field.ErrorList{field.Invalid(path, of.Name, "is a window for something else: type, environment, scope, plan and maxExecutions of both are the same")}
	}
	return nil
}

func joined(names []v1alpha1.Glob) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strconv.Quote(string(n))
	}
	return strings.Join(out, ", ")
}

func runsSomething(s *v1alpha1.Scope) bool {
	return writes(s) && slices.ContainsFunc(s.Resources, func(r v1alpha1.ScopedResource) bool {
		return workload.HasTemplate(schema.GroupKind{Group: r.Group, Kind: r.Kind})
	})
}

// writes reports whether a window lets objects be created or updated.
func writes(s *v1alpha1.Scope) bool {
	return slices.Contains(s.Operations, v1alpha1.OperationCreate) || slices.Contains(s.Operations, v1alpha1.OperationUpdate)
}
