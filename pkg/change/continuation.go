package change

import (
	"slices"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// mayGoBack reports whether an operation is the way back that a window pins, or, for a candidate, whether the window has one.
func (v *Verdict) mayGoBack(op v1alpha1.Operation, q *Query) bool {
	return op == v1alpha1.OperationUpdate && (v.wayBack(q) || q.candidate && slices.ContainsFunc(v.entries(q), func(e *v1alpha1.PlannedWorkload) bool { return e.Rollback }))
}

// mayContinue reports whether an operation changes a run that may have been started under the window.
func (v *Verdict) mayContinue(op v1alpha1.Operation, q *Query) bool {
	return op == v1alpha1.OperationUpdate && q.Continues != "" && slices.Contains(v.Window.Spec.Scope.Operations, v1alpha1.OperationCreate)
}

// continues reports whether a query changes the run that an execution started, and leads to the plan that was admitted then. Without a plan nothing
// is pinned, so each change is an execution of its own.
func (v *Verdict) continues(x *v1alpha1.ChangeExecution, q *Query) bool {
	if q.Continues == "" || x.Spec.Key != q.Continues || x.Released() || q.Plan == nil || v.Window.Spec.Plan == nil {
		return false
	}
	p := q.Plan.By(x.Spec.Digest)
	return p != nil && p.Digest == x.Spec.Digest
}

// continued refuses a window that permits the operation only for a run that it started, if it did not start this one.
func continued(v *Verdict, q *Query, s *State) string {
	for _, op := range q.Operations {
		if slices.Contains(v.Window.Spec.Scope.Operations, op) || v.mayGoBack(op, q) {
			continue
		}
		if !slices.ContainsFunc(s.Executions, func(x v1alpha1.ChangeExecution) bool {
			return Counts(v.Window, &x) && x.Spec.Key == q.Continues && !x.Released() && q.Plan != nil && v.Window.Spec.Plan != nil
		}) {
			return outOfScope
		}
	}
	return ""
}

// made reports whether a window was used to write an object in a namespace.
func (v *Verdict) made(m *v1alpha1.Maker, namespace string, s *State) bool {
	return slices.ContainsFunc(s.Executions, func(x v1alpha1.ChangeExecution) bool {
		o := x.Spec.Object
		wrote := x.Spec.Operation == v1alpha1.OperationCreate || x.Spec.Operation == v1alpha1.OperationUpdate
		return x.Spec.Window.UID == v.Window.UID && !x.Released() && wrote && o.Group == m.Group && o.Kind == m.Kind && o.Name == m.Name && o.Namespace == namespace
	})
}
