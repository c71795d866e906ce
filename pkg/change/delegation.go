package change

import (
	"fmt"
	"slices"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Holder returns the person whose right to approve a word rests on: who gave it, or who delegated that to them; nil: nobody's.
func Holder(a *v1alpha1.ChangeApproval, all []v1alpha1.ChangeApproval) *v1alpha1.Stamp {
	if a.Spec.OnBehalfOf == nil {
		return a.Spec.Approver
	}
	d, why := Delegated(a, all)
	if why != "" {
		return nil
	}
	return d.Spec.Approver
}

// Delegated returns the delegation by which a word was given, and why it does not hold; empty: it does. A delegation holds for what was approved
// before its end, unless it was withdrawn. Who was delegated to cannot delegate further: a delegation needs a right of one's own.
func Delegated(a *v1alpha1.ChangeApproval, all []v1alpha1.ChangeApproval) (*v1alpha1.ChangeApproval, string) {
	of := a.Spec.OnBehalfOf
	i := slices.IndexFunc(all, func(d v1alpha1.ChangeApproval) bool {
		return d.Namespace == a.Namespace && d.Name == of.Name && string(d.UID) == of.UID && d.Spec.Decision == v1alpha1.DecisionDelegate && d.DeletionTimestamp == nil
	})
	by := a.Spec.Approver
	if i < 0 || all[i].Spec.Delegation == nil || all[i].Spec.Approver == nil || all[i].Spec.Approver.Username == "" || by == nil {
		return nil, fmt.Sprintf("delegation %q is not there: it was withdrawn, or made again", of.Name)
	}
	d := &all[i]
	switch to := d.Spec.Delegation; {
	case to.To != by.Username:
		return nil, fmt.Sprintf("delegation %q is to %s, not to %s", d.Name, to.To, by.Username)
	case !a.CreationTimestamp.Before(&to.Until):
		return nil, fmt.Sprintf("delegation %q ended at %s", d.Name, Instant(to.Until.Time))
	case a.CreationTimestamp.Before(&d.CreationTimestamp):
		return nil, fmt.Sprintf("delegation %q is younger than the approval", d.Name)
	}
	return d, ""
}
