package cli

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// planner fills in the scope and the plan of a window, object by object.
type planner struct {
	*env
	c    client.Client
	w    *v1alpha1.ChangeWindow
	docs []document
	// each is how often each object may be used.
	each *int32
	// noRollback leaves out the way back; goesBack is true once there is one.
	noRollback, goesBack bool
	plan                 v1alpha1.Plan
}

// add adds an entry, unless there is one that is the same: what runs in several namespaces may be one thing.
func (p *planner) add(entry v1alpha1.PlannedWorkload) {
	if slices.ContainsFunc(p.plan.Workloads, func(e v1alpha1.PlannedWorkload) bool {
		return len(p.w.Spec.Scope.Namespaces) > 1 && e.Digest == entry.Digest && e.Rollback == entry.Rollback && reflect.DeepEqual(e.MadeBy, entry.MadeBy) && reflect.DeepEqual(e.ScopedResource, entry.ScopedResource)
	}) {
		return
	}
	p.plan.Workloads = append(p.plan.Workloads, entry)
}

// include adds one object to the window's scope and to its plan: what runs, and what objects of the boundary and ConfigMaps are to say, is
// pinned; the rest is only counted.
func (p *planner) include(ctx context.Context, u *unstructured.Unstructured) error {
	gk := u.GroupVersionKind().GroupKind()
	if gk.Group == v1alpha1.GroupName && gk.Kind == v1alpha1.KindChangeWindow {
		return errors.New("a window is not requested for a window")
	}
	name := u.GetName()
	if name == "" && u.GetGenerateName() != "" {
		name = u.GetGenerateName() + "*"
	}
	r := v1alpha1.ScopedResource{Group: gk.Group, Kind: gk.Kind, Names: []v1alpha1.Glob{v1alpha1.Glob(name)}, Executions: p.each}
	p.w.Spec.Scope.Resources = append(p.w.Spec.Scope.Resources, r)
	runs, err := runsSomething(u)
	switch {
	case err != nil:
		return err
	case !planned(p.w.Spec.Scope.Operations), !runs && !change.Pins(gk.Group, gk.Kind):
		return nil
	}
	places, err := p.places(u)
	if err != nil {
		return err
	}
	of := change.ObjectPlan(gk.Group, gk.Kind, u.Object)
	if !runs {
		p.add(v1alpha1.PlannedWorkload{ScopedResource: r, Digest: of.Digest, Fields: of.Fields})
	}
	for _, ns := range places {
		if runs {
			err = p.workload(ctx, r, u, ns)
		} else {
			err = p.wayBack(ctx, r, u, of, ns)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// places returns the namespaces in which an object of a manifest is meant: its own, or those that the window opens; one without a name for an
// object that lies in none.
func (p *planner) places(u *unstructured.Unstructured) ([]string, error) {
	opens, ns := opened(p.w), u.GetNamespace()
	gk := u.GroupVersionKind().GroupKind()
	switch {
	case slices.Contains([]string{"Namespace", "Node", "ClusterRole", "ClusterRoleBinding"}, gk.Kind), change.PinsSpec(gk.Group, gk.Kind):
		return []string{""}, nil
	case ns == "":
		return opens, nil
	case !slices.Contains(opens, ns):
		return nil, fmt.Errorf("%s %q lies in namespace %q, and the window opens %s; use -n %s", gk.Kind, u.GetName(), ns, strings.Join(opens, ", "), ns)
	}
	return []string{ns}, nil
}

// opened returns the namespaces that a window opens.
func opened(w *v1alpha1.ChangeWindow) []string {
	if all := w.Spec.Scope.Namespaces; len(all) > 0 {
		return all
	}
	return []string{w.Namespace}
}

// workload adds what runs in a namespace: the workload itself, what a CronJob's schedule makes of it, and the way back.
func (p *planner) workload(ctx context.Context, r v1alpha1.ScopedResource, u *unstructured.Unstructured, namespace string) error {
	of, err := p.planOf(ctx, p.c, namespace, u, p.docs)
	if err != nil {
		return err
	}
	p.add(v1alpha1.PlannedWorkload{ScopedResource: r, Digest: of.Digest, Fields: of.Fields})
	if r.Kind == "CronJob" {
		// The purpose of a CronJob is its runs.
		jobs := v1alpha1.ScopedResource{Group: r.Group, Kind: "Job", Names: []v1alpha1.Glob{r.Names[0] + "-*"}, Executions: p.each}
		if !slices.ContainsFunc(p.w.Spec.Scope.Resources, func(o v1alpha1.ScopedResource) bool { return reflect.DeepEqual(o, jobs) }) {
			p.w.Spec.Scope.Resources = append(p.w.Spec.Scope.Resources, jobs)
		}
		// What its schedule makes and what a person starts of it by hand do not take from each other.
		p.add(v1alpha1.PlannedWorkload{ScopedResource: jobs, Digest: of.Digest, Fields: of.Fields, MadeBy: &v1alpha1.Maker{Group: r.Group, Kind: r.Kind, Name: string(r.Names[0])}})
		p.add(v1alpha1.PlannedWorkload{ScopedResource: jobs, Digest: of.Digest, Fields: of.Fields})
	}
	return p.wayBack(ctx, r, u, of, namespace)
}

// wayBack adds what is stored now, so that it may be put back, if the window permits to update it.
func (p *planner) wayBack(ctx context.Context, r v1alpha1.ScopedResource, u *unstructured.Unstructured, next *change.Plan, namespace string) error {
	gk := schema.GroupKind{Group: r.Group, Kind: r.Kind}
	once := gk.Kind == "Job" || gk.Kind == "Pod"
	if p.noRollback || once || p.w.Spec.Schedule.Recurrence != nil || u.GetName() == "" || !slices.Contains(p.w.Spec.Scope.Operations, v1alpha1.OperationUpdate) {
		return nil
	}
	now, why, err := storedPlan(ctx, p.c, namespace, u.GroupVersionKind(), u.GetName())
	switch {
	case err != nil:
		fmt.Fprintf(p.ErrOut, "The window pins no way back of %s %q: %v.\n", gk.Kind, u.GetName(), err)
		return nil
	case why != "" || now == nil:
		return nil // it is new, or pins nothing yet
	case len(now.Unpinned) > 0:
		fmt.Fprintf(p.ErrOut, "The window pins no way back of %s %q: what is stored names an image by tag alone, %s.\n", gk.Kind, u.GetName(), strings.Join(now.Unpinned, ", "))
		return nil
	case now.TooMany || now.Digest == next.Digest:
		return nil
	}
	p.goesBack = true
	one := int32(1)
	r.Executions = &one
	p.add(v1alpha1.PlannedWorkload{ScopedResource: r, Digest: now.Digest, Fields: now.Fields, Rollback: true})
	return nil
}

// storedPlan returns the plan of what is stored of an object, or why there is none. The error says that it cannot be read.
func storedPlan(ctx context.Context, c client.Client, namespace string, gvk schema.GroupVersionKind, name string) (of *change.Plan, why string, err error) {
	var u unstructured.Unstructured
	u.SetGroupVersionKind(gvk)
	err = c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &u)
	switch {
	case apierrors.IsNotFound(err) && namespace == "":
		return nil, "nothing of that name exists", nil
	case apierrors.IsNotFound(err):
		return nil, fmt.Sprintf("nothing of that name exists in namespace %s", namespace), nil
	case err != nil:
		return nil, "", fmt.Errorf("what is stored cannot be read: %w", err)
	}
	of, err = planFrom(ctx, c, namespace, &u, nil)
	if err != nil {
		return nil, "", fmt.Errorf("what is stored cannot be compared: %w", err)
	}
	return of, "", nil
}
