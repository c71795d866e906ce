package change

import (
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// MaxDelegation is how long a delegation may last: whoever is away for longer gives the right to somebody by RBAC.
const MaxDelegation = 31 * 24 * time.Hour

// Holder returns the person whose right to approve a word rests on: who gave it, or who delegated that to them; nil: nobody's.
func Holder(a *v1alpha1.ChangeApproval, all []v1alpha1.ChangeDelegation) *v1alpha1.Stamp {
	if a.Spec.OnBehalfOf == nil {
		return a.Spec.Approver
	}
	d, why := Delegated(a, all)
	if why != "" {
		return nil
	}
	return d.Spec.Delegator
}

// Delegated returns the delegation by which a word was given, and why it does not hold; empty: it does. A delegation holds for what was approved
// before its end, unless it was withdrawn. Who was delegated to cannot delegate further: a delegation needs a right of one's own.
func Delegated(a *v1alpha1.ChangeApproval, all []v1alpha1.ChangeDelegation) (*v1alpha1.ChangeDelegation, string) {
	of := a.Spec.OnBehalfOf
	i := slices.IndexFunc(all, func(d v1alpha1.ChangeDelegation) bool {
		return d.Namespace == a.Namespace && d.Name == of.Name && string(d.UID) == of.UID && d.DeletionTimestamp == nil
	})
	by := a.Spec.Approver
	if i < 0 || all[i].Spec.Delegator == nil || all[i].Spec.Delegator.Username == "" || by == nil {
		return nil, fmt.Sprintf("delegation %q is not there: it was withdrawn, or made again", of.Name)
	}
	switch d := &all[i]; {
	case d.Spec.Until.Sub(d.CreationTimestamp.Time) > MaxDelegation+time.Minute: // it was made while nothing judged it
		return nil, fmt.Sprintf("delegation %q lasts longer than %d days", d.Name, int(MaxDelegation.Hours()/24))
	case d.Spec.To != by.Username:
		return nil, fmt.Sprintf("delegation %q is to %s, not to %s", d.Name, d.Spec.To, by.Username)
	case !a.CreationTimestamp.Before(&d.Spec.Until):
		return nil, fmt.Sprintf("delegation %q ended at %s", d.Name, Instant(d.Spec.Until.Time))
	case a.CreationTimestamp.Before(&d.CreationTimestamp):
		return nil, fmt.Sprintf("delegation %q is younger than the approval", d.Name)
	}
	return &all[i], ""
}
