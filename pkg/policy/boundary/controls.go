package boundary

import (
	"cmp"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// controls compares two changeControls with their defaults filled in.
func (w *weakening) controls(old, new *v1alpha1.ChangeControl) {
	o, n := estate.ControlsOf(old), estate.ControlsOf(new)
	less(w, "changeControl.scope", estate.ScopeStrictness(o.Scope), estate.ScopeStrictness(n.Scope), o.Scope, n.Scope)
	less(w, "changeControl.maintenance", estate.ModeStrictness(o.Maintenance), estate.ModeStrictness(n.Maintenance), o.Maintenance, n.Maintenance)
	shrunk(w, "changeControl.maintenanceTools", o.MaintenanceTools, n.MaintenanceTools)
	less(w, "changeControl.requiredApprovals", o.RequiredApprovals, n.RequiredApprovals, o.RequiredApprovals, n.RequiredApprovals)
	w.approvers(o.Approvers, n.Approvers)
	w.quorums(o.RequiredFrom, n.RequiredFrom)
	grown(w, "changeControl.automatedRequesters", o.AutomatedRequesters, n.AutomatedRequesters)
	w.longer("changeControl.approvalValidity", o.ApprovalValidity, n.ApprovalValidity)
	w.longer("changeControl.standardApprovalValidity", o.StandardApprovalValidity, n.StandardApprovalValidity)
	w.longer("changeControl.maxWindowDuration", o.MaxWindowDuration, n.MaxWindowDuration)
	w.longer("changeControl.emergencyMaxDuration", o.EmergencyMaxDuration, n.EmergencyMaxDuration)
	w.off("changeControl.confirmTarget", o.ConfirmTarget, n.ConfirmTarget)
	w.off("changeControl.requirePlan", o.RequirePlan, n.RequirePlan)
	w.off("changeControl.requireRollback", o.RequireRollback, n.RequireRollback)
	less(w, "changeControl.executionRetention", o.ExecutionRetention, n.ExecutionRetention, o.ExecutionRetention, n.ExecutionRetention)
	less(w, "changeControl.interactiveAccess", estate.InteractiveStrictness(o.InteractiveAccess), estate.InteractiveStrictness(n.InteractiveAccess),
		o.InteractiveAccess, n.InteractiveAccess)
	po, pn := v1alpha1.ChangeControl{}, v1alpha1.ChangeControl{}
	if old != nil {
		po = *old
	}
	if new != nil {
		pn = *new
	}
	so, sn := estate.ProtectedStateOf(old), estate.ProtectedStateOf(new)
	w.differ("changeControl.protectedState.selector", so.Selector, sn.Selector)
	shrunk(w, "changeControl.protectedState.kinds", so.Kinds, sn.Kinds)
	w.blastRadius(po.BlastRadius, pn.BlastRadius)
}

func less[T cmp.Ordered, V any](w *weakening, field string, old, new T, from, to V) {
	if new < old {
		w.say("it lowers %s from %v to %v", field, from, to)
	}
}

func (w *weakening) longer(field string, old, new time.Duration) {
	if new > old {
		w.say("it raises %s from %s to %s", field, change.Short(old), change.Short(new))
	}
}

func (w *weakening) off(field string, old, new bool) {
	if old && !new {
		w.say("it switches %s off", field)
	}
}

// approvers compares two lists of approvers. An empty list lets everybody approve who may by RBAC, so an entry in it takes that right
// from all others.
func (w *weakening) approvers(old, new v1alpha1.Approvers) {
	was, is := len(old.Users)+len(old.Groups), len(new.Users)+len(new.Groups)
	switch {
	case was == 0 && is > 0:
		w.say("it takes the right to approve from all but changeControl.approvers")
	case is == 0 && was > 0:
		w.say("it lifts the limit on changeControl.approvers")
	default:
		grown(w, "changeControl.approvers.users", old.Users, new.Users)
		grown(w, "changeControl.approvers.groups", old.Groups, new.Groups)
	}
}

// quorums compares how many approvers it takes of certain groups.
func (w *weakening) quorums(old, new []v1alpha1.GroupQuorum) {
	is := map[string]int32{}
	for _, q := range new {
		is[q.Group] = max(1, q.Approvals)
	}
	for _, q := range old {
		if was := max(1, q.Approvals); is[q.Group] < was {
			w.say("it lowers changeControl.requiredFrom[%q] from %d to %d", q.Group, was, is[q.Group])
		}
	}
}

func (w *weakening) blastRadius(old, new v1alpha1.BlastRadius) {
	value := func(p *int32, def int32) int32 {
		if p == nil {
			return def
		}
		return *p
	}
	more := func(field string, o, n *int32, def int32) {
		if value(n, def) > value(o, def) {
			w.say("it raises changeControl.blastRadius.%s from %d to %d", field, value(o, def), value(n, def))
		}
	}
	more("maxScaleDownPercent", old.MaxScaleDownPercent, new.MaxScaleDownPercent, 50)
	more("maxScaleUpFactor", old.MaxScaleUpFactor, new.MaxScaleUpFactor, 4)
	more("maxScaleUp", old.MaxScaleUp, new.MaxScaleUp, 10)
	more("maxScaleFromZero", old.MaxScaleFromZero, new.MaxScaleFromZero, 10)
	w.softer("changeControl.blastRadius.autoscalers", cmp.Or(old.Autoscalers, v1alpha1.ActionWarn), cmp.Or(new.Autoscalers, v1alpha1.ActionWarn))
}
