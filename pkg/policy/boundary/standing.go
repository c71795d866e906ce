package boundary

import (
	"cmp"
	"fmt"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// WeakensExemption says how a change of an Exemption would weaken the boundary: creating one does, deleting one does not. Its spec is
// immutable; should that guard be gone, only an update to a shorter time or fewer rules does not weaken.
func WeakensExemption(old, new *v1alpha1.Exemption) []string {
	switch {
	case new == nil:
		return nil
	case old == nil:
		return []string{fmt.Sprintf("it exempts from %v until %s", new.Spec.Rules, new.Spec.ExpiresAt.UTC().Format("2006-01-02 15:04 UTC"))}
	}
	var w weakening
	grown(&w, "rules", old.Spec.Rules, new.Spec.Rules)
	w.differ("subjects", old.Spec.Subjects, new.Spec.Subjects)
	w.differ("objects", old.Spec.Objects, new.Spec.Objects)
	w.differ("requestedBy", old.Spec.RequestedBy, new.Spec.RequestedBy)
	if new.Spec.ExpiresAt.After(old.Spec.ExpiresAt.Time) {
		w.say("it prolongs the exemption")
	}
	return w.out
}

// WeakensFreeze says how a change of a ChangeFreeze would weaken the boundary. Creating one never does, and lifting one is
// judged by its liftedBy. Its spec is immutable; should that guard be gone, an update that shortens or narrows it weakens.
func WeakensFreeze(old, new *v1alpha1.ChangeFreeze) []string {
	if old == nil || new == nil {
		return nil
	}
	var w weakening
	shrunk(&w, "environments", old.Spec.Environments, new.Spec.Environments)
	switch {
	case len(new.Spec.Namespaces) == 0: // it then holds in all
	case len(old.Spec.Namespaces) == 0:
		w.say("it limits the freeze to namespaces")
	default:
		shrunk(&w, "namespaces", old.Spec.Namespaces, new.Spec.Namespaces)
	}
	w.softerLevel(old.Spec.Level, new.Spec.Level)
	w.differ("schedule", old.Spec.Schedule, new.Spec.Schedule)
	if old.Spec.LiftedBy == v1alpha1.LiftedByTwoPersons && new.Spec.LiftedBy != v1alpha1.LiftedByTwoPersons {
		w.say("it lets one person lift what two had to")
	}
	w.differ("requestedBy", old.Spec.RequestedBy, new.Spec.RequestedBy)
	return w.out
}

func (w *weakening) softerLevel(old, new v1alpha1.FreezeLevel) {
	old, new = cmp.Or(old, v1alpha1.FreezeChanges), cmp.Or(new, v1alpha1.FreezeChanges)
	if old == v1alpha1.FreezeEverything && new != old {
		w.say("it lowers the level from %s to %s", old, new)
	}
}
