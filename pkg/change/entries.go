package change

import (
	"fmt"
	"slices"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// entries returns the entries of a window's plan that are for a query's object, in their order.
func (v *Verdict) entries(q *Query) []*v1alpha1.PlannedWorkload {
	p := v.Window.Spec.Plan
	if p == nil {
		return nil
	}
	var out []*v1alpha1.PlannedWorkload
	for i := range p.Workloads {
		if e := &p.Workloads[i]; isFor(e, q) {
			out = append(out, e)
		}
	}
	return out
}

// names reports whether some entry of the plan is for a query's object, though it may be for another maker, or be the way back.
func (v *Verdict) names(q *Query) bool {
	p := v.Window.Spec.Plan
	return p != nil && slices.ContainsFunc(p.Workloads, func(e v1alpha1.PlannedWorkload) bool {
		return e.Group == q.Group && e.Kind == q.Kind && matchName(e.Names, q.Name)
	})
}

// countsApart reports whether some entry of the plan says executions, as all do since custom resources are pinned.
func (v *Verdict) countsApart() bool {
	return slices.ContainsFunc(v.Window.Spec.Plan.Workloads, func(e v1alpha1.PlannedWorkload) bool { return e.Executions != nil })
}

// isFor reports whether an entry is for a query's object, whatever runs.
func isFor(e *v1alpha1.PlannedWorkload, q *Query) bool {
	switch {
	case e.Group != q.Group || e.Kind != q.Kind:
		return false
	case q.Pin != "" && q.MustPin:
		return slices.Contains(e.Names, v1alpha1.Glob(q.Name))
	case e.MadeBy != nil && (q.MadeBy == nil || *e.MadeBy != *q.MadeBy):
		return false
	case e.MadeBy == nil && e.Executions != nil && q.MadeBy != nil:
		return false // what is counted for a person is not taken by the clock
	case e.Rollback && !slices.Contains(q.Operations, v1alpha1.OperationUpdate):
		return false
	}
	return matchName(e.Names, q.Name)
}

// entry returns the entry that a query uses: the one that pins what would run, else the first for its object; nil if there is none.
func (v *Verdict) entry(q *Query) *v1alpha1.PlannedWorkload {
	all := v.entries(q)
	i := slices.IndexFunc(all, func(e *v1alpha1.PlannedWorkload) bool { return pins(e, q) })
	switch {
	case i >= 0:
		return all[i]
	case len(all) == 0:
		return nil
	}
	return all[0]
}

// pins reports whether an entry pins what would run, or the spec that would be stored.
func pins(e *v1alpha1.PlannedWorkload, q *Query) bool {
	if q.Plan != nil {
		p := asPinned(e, q.Plan)
		return p != nil && p.Digest == e.Digest
	}
	return e.Digest == q.Pin || q.Spec != nil && e.Digest == q.Spec.Digest
}

// wayBack reports whether a query is for what a window pins as the way back.
func (v *Verdict) wayBack(q *Query) bool {
	if q.Plan == nil && q.Spec == nil {
		return false
	}
	e := v.entry(q)
	return e != nil && e.Rollback && pins(e, q)
}

// counted returns what a query uses, as executions name it, and how often that may be: the entry that pins it, or the object in the scope with
// its operation. It returns 0 for what is not counted apart.
func (v *Verdict) counted(q *Query) (name string, executions int) {
	if e := v.entry(q); e != nil && (q.Plan != nil || q.Spec != nil) {
		for i := range v.Window.Spec.Plan.Workloads {
			if &v.Window.Spec.Plan.Workloads[i] == e && e.Executions != nil {
				return fmt.Sprintf("e%d%s", i, v.within(q)), max(1, int(*e.Executions))
			}
		}
		return "", 0
	}
	for i := range v.Window.Spec.Scope.Resources {
		if r := &v.Window.Spec.Scope.Resources[i]; r.Executions != nil && r.Group == q.Group && r.Kind == q.Kind && matchName(r.Names, q.Name) {
			return fmt.Sprintf("r%d%s-%s", i, v.within(q), strings.ToLower(string(q.Operations[0]))), max(1, int(*r.Executions))
		}
	}
	return "", 0
}

// within tells the namespaces of a window that opens several apart: each has its own count.
func (v *Verdict) within(q *Query) string {
	all := v.Window.Spec.Scope.Namespaces
	if i := slices.Index(all, q.Namespace); len(all) > 1 && i >= 0 {
		return fmt.Sprintf("n%d", i)
	}
	return ""
}
