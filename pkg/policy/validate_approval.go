package policy

import (
	"fmt"
	"strings"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// validateApproval refuses an approval that would not count, so that the approver learns why at once. Whether it counts is computed again
// whenever a window is used.
func (c *PreparedRequest) validateApproval(a *v1alpha1.ChangeApproval, s *change.State) field.ErrorList {
	spec := field.NewPath("spec")
	by := spec.Child("approver")
	if !c.requester.Person {
		return field.ErrorList{field.Forbidden(by, fmt.Sprintf("%s is not a person, and windows are approved by persons; let one approve it", c.requester))}
	}
	if a.Spec.OnBehalfOf != nil && (a.Spec.Window == nil || a.Spec.Decision != v1alpha1.DecisionApprove) {
		return field.ErrorList{field.Forbidden(spec.Child("onBehalfOf"), "only windows are approved in somebody's stead, and nothing else is done")}
	}
	if a.Spec.Window == nil {
		return nil // an approval of a freeze or an execution is judged when it is heeded
	}
	w := aboutWindow(a, s)
	if w == nil {
		return field.ErrorList{field.Invalid(spec.Child("window"), a.Spec.Window.Name, fmt.Sprintf(
			"namespace %q has no change window of this name with UID %q: it was deleted, or made again; look at what is there, and approve that", c.req.Namespace, a.Spec.Window.UID))}
	}
	if a.Spec.Decision != v1alpha1.DecisionApprove {
		return nil
	}
	if p := c.party(); change.SamePerson(w.Spec.RequestedBy, &v1alpha1.Stamp{Username: p.Username, UID: p.UID}) {
		return field.ErrorList{field.Forbidden(by, fmt.Sprintf("%s requested change window %q, and nobody approves what they requested; ask another person who holds the verb approve on changewindows", c.requester, w.Name))}
	}
	return c.validWord(a, w, s)
}

// validateDelegation checks that a person delegates to somebody else, for a time. That they hold the right is checked in the API server.
func (c *PreparedRequest) validateDelegation(d *v1alpha1.ChangeDelegationSpec) field.ErrorList {
	path := field.NewPath("spec")
	ahead := d.Until.Sub(c.At())
	switch {
	case !c.requester.Person:
		return field.ErrorList{field.Forbidden(path.Child("delegator"), fmt.Sprintf("%s is not a person, and windows are approved by persons; let one delegate", c.requester))}
	case strings.TrimSpace(d.To) != d.To || strings.ContainsFunc(d.To, unicode.IsControl):
		return field.ErrorList{field.Invalid(path.Child("to"), d.To, "has a space at an end or a control character in it, which the name of no person has; nobody could use the delegation")}
	case d.To == c.requester.Username:
		return field.ErrorList{field.Invalid(path.Child("to"), d.To, "is yourself; delegate to another person")}
	case strings.HasPrefix(d.To, "system:") || c.est.Identity(d.To, nil).Automation:
		return field.ErrorList{field.Invalid(path.Child("to"), d.To, "is not a person, and windows are approved by persons")}
	case ahead <= 0:
		return field.ErrorList{field.Invalid(path.Child("until"), change.Instant(d.Until.Time), "must be in the future")}
	case ahead > change.MaxDelegation:
		return field.ErrorList{field.Invalid(path.Child("until"), change.Instant(d.Until.Time), fmt.Sprintf("must be at most %d days ahead", int(change.MaxDelegation.Hours()/24)))}
	}
	return nil
}

// holder returns the person on whose right an approval rests, and the error if that is not the requester and nobody has delegated it to them.
func (c *PreparedRequest) holder(a *v1alpha1.ChangeApproval, w *v1alpha1.ChangeWindow, s *change.State) (*v1alpha1.Stamp, *field.Error) {
	self := &v1alpha1.Stamp{Username: c.requester.Username, UID: c.requester.UID, Groups: c.requester.Groups}
	if a.Spec.OnBehalfOf == nil {
		return self, nil
	}
	path := field.NewPath("spec", "onBehalfOf")
	given := a.DeepCopy()
	given.Namespace, given.Spec.Approver = c.req.Namespace, self
	if given.CreationTimestamp.IsZero() {
		given.CreationTimestamp = metav1.NewTime(c.At())
	}
	d, why := change.Delegated(given, s.Delegations)
	switch {
	case why != "":
		return nil, field.Invalid(path, a.Spec.OnBehalfOf.Name, why)
	case change.SamePerson(d.Spec.Delegator, w.Spec.RequestedBy):
		return nil, field.Forbidden(path, fmt.Sprintf("%s requested change window %q, and nobody approves in the stead of its requester", d.Spec.Delegator.Username, w.Name))
	}
	return d.Spec.Delegator, nil
}

func (c *PreparedRequest) validWord(a *v1alpha1.ChangeApproval, w *v1alpha1.ChangeWindow, s *change.State) field.ErrorList {
	spec := field.NewPath("spec")
	holder, wrong := c.holder(a, w, s)
	if wrong != nil {
		return field.ErrorList{wrong}
	}
	if want := change.WindowDigest(&w.Spec); a.Spec.Digest != want {
		return field.ErrorList{field.Invalid(spec.Child("digest"), a.Spec.Digest, fmt.Sprintf("change window %q has digest %s; look at it again before you approve it", w.Name, want))}
	}
	env, ok := c.est.Environment(w.Spec.Environment)
	if !ok || env.Controls == nil {
		return field.ErrorList{field.NotFound(spec.Child("window"), "environment "+w.Spec.Environment)}
	}
	if !c.requester.MemberOf(env.Name) {
		return field.ErrorList{field.Forbidden(spec.Child("approver"), fmt.Sprintf("%s is not a member of environment %q", c.requester, env.Name))}
	}
	if why := ApproverCheck(c.est)(env.Name, holder); a.Spec.OnBehalfOf != nil && why != "" {
		return field.ErrorList{field.Forbidden(spec.Child("onBehalfOf"), why)}
	}
	if !change.MayApprove(env.Controls.Approvers, holder) {
		return field.ErrorList{field.Forbidden(spec.Child("approver"), fmt.Sprintf("%s is not among the approvers of environment %q", holder.Username, env.Name))}
	}
	// An emergency is also reviewed after it has closed.
	if end := w.Spec.Schedule.End; w.Spec.Type != v1alpha1.WindowEmergency && end != nil && !c.At().Before(end.Time) {
		return field.ErrorList{field.Forbidden(spec.Child("window"), fmt.Sprintf("change window %q closed at %s", w.Name, change.Instant(end.Time)))}
	}
	return nil
}
