package change

import (
	"slices"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// LiftedBy returns the two persons whose Lift approvals end a freeze, or nil while there are not two. They are two different
// persons, and each is fit for every environment that the freeze names.
func LiftedBy(f *v1alpha1.ChangeFreeze, s *State, unfit ApproverCheck) []string {
	if f.Spec.LiftedBy != v1alpha1.LiftedByTwoPersons {
		return nil
	}
	var by []*v1alpha1.Stamp
	for i := range s.Approvals {
		a := &s.Approvals[i]
		about := a.Spec.Decision == v1alpha1.DecisionLift && a.Spec.Freeze != nil && a.Spec.Freeze.Name == f.Name && a.Spec.Freeze.UID == string(f.UID)
		who := a.Spec.Approver
		if !about || who == nil || who.Username == "" || a.DeletionTimestamp != nil || a.Spec.OnBehalfOf != nil || s.Unauthorised[a.UID] != "" {
			continue
		}
		twice := slices.ContainsFunc(by, func(s *v1alpha1.Stamp) bool { return SamePerson(s, who) })
		cannot := slices.ContainsFunc(f.Spec.Environments, func(e string) bool { return unfit(e, who) != "" })
		if !twice && !cannot {
			by = append(by, who)
		}
	}
	if len(by) < 2 {
		return nil
	}
	return []string{by[0].Username, by[1].Username}
}

// ReleasedBy returns the person whose Release approval gives an execution back; it is empty if there is none. That person
// neither used the execution nor requested its window, and is fit for one of the environments that it happened in.
func ReleasedBy(x *v1alpha1.ChangeExecution, environments []string, s *State, unfit ApproverCheck) string {
	for i := range s.Approvals {
		a := &s.Approvals[i]
		about := a.Spec.Decision == v1alpha1.DecisionRelease && a.Spec.Execution != nil && a.Spec.Execution.Name == x.Name && a.Spec.Execution.UID == string(x.UID)
		who := a.Spec.Approver
		if !about || who == nil || who.Username == "" || a.DeletionTimestamp != nil || a.Spec.OnBehalfOf != nil || s.Unauthorised[a.UID] != "" || SamePerson(who, &x.Spec.Requester) || SamePerson(who, x.Spec.Window.RequestedBy) {
			continue
		}
		if slices.ContainsFunc(environments, func(e string) bool { return unfit(e, who) == "" }) {
			return who.Username
		}
	}
	return ""
}
