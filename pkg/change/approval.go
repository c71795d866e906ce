package change

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/schedule"
)

// ApproverCheck returns why the word of a stamped user does not count in an environment: they are not a person, or not a
// member of it. It returns an empty string if the word may count. The estate decides, and may know more today than when the
// word was given.
type ApproverCheck func(environment string, by *v1alpha1.Stamp) string

// Approvals is the result of counting the approvals of one window.
type Approvals struct {
	// Names are the names of the approvals that count, in the order in which they were created.
	Names []string
	// By are the usernames of their approvers, in the same order.
	By []string
	// Required is how many approvals must count. Lacks says, for each group of which too few have approved, how many are missing; an emergency
	// lacks them only where it is to pass a freeze.
	Required int
	Lacks    []string
	// Afterwards is true for an emergency, which is reviewed afterwards.
	Afterwards bool
	// RejectedBy is the user that rejected the window; it is empty if there is none.
	RejectedBy, RejectComment string
	// Ignored explains, for each approval that does not count, why; it is for people.
	Ignored []string
	// NotCounted says the same by the approval's name.
	NotCounted map[string]string
}

// Enough reports whether the window is approved.
func (a Approvals) Enough() bool {
	return a.RejectedBy == "" && len(a.Names) >= a.Required && (a.Afterwards || len(a.Lacks) == 0)
}

// CountApprovals counts the approvals of a window that a state holds. executor is the requester that would use it; it is nil if there is none
// yet.
func CountApprovals(w *v1alpha1.ChangeWindow, s *State, c estate.Controls, executor *Party, unfit ApproverCheck, at time.Time) Approvals {
	out := Approvals{Required: RequiredApprovals(w, c), Afterwards: w.Spec.Type == v1alpha1.WindowEmergency}
	count := counting{window: w, state: s, controls: c, executor: executor, unfit: unfit, at: at, digest: WindowDigest(&w.Spec)}
	for _, a := range ApprovalsOf(w, s.Approvals) {
		if a.Spec.Decision == v1alpha1.DecisionReject && a.Spec.OnBehalfOf == nil { // nobody rejects in another's stead
			out.reject(a)
			continue
		}
		v, why := count.voice(a)
		if why != "" {
			out.Ignored = append(out.Ignored, why)
			if out.NotCounted == nil {
				out.NotCounted = map[string]string{}
			}
			out.NotCounted[a.Name] = why
			continue
		}
		count.voices = append(count.voices, v)
		out.Names, out.By = append(out.Names, a.Name), append(out.By, v.String())
	}
	out.Lacks = lacking(c.RequiredFrom, count.voices)
	return out
}

// ApprovalsOf returns the approvals and rejections of a window, the oldest first.
func ApprovalsOf(w *v1alpha1.ChangeWindow, all []v1alpha1.ChangeApproval) []*v1alpha1.ChangeApproval {
	var out []*v1alpha1.ChangeApproval
	for i := range all {
		if a := &all[i]; a.Namespace == w.Namespace && a.Spec.Window != nil && a.Spec.Window.UID == string(w.UID) {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b *v1alpha1.ChangeApproval) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	return out
}

// lacking says of which groups too few have approved.
func lacking(all []v1alpha1.GroupQuorum, voices []voice) []string {
	var out []string
	for _, q := range all {
		missing := max(1, int(q.Approvals))
		for _, v := range voices {
			if slices.Contains(v.holder.Groups, q.Group) {
				missing--
			}
		}
		if missing > 0 {
			out = append(out, fmt.Sprintf("%d of group %q", missing, q.Group))
		}
	}
	return out
}

func (a *Approvals) reject(r *v1alpha1.ChangeApproval) {
	if a.RejectedBy != "" {
		return
	}
	a.RejectedBy, a.RejectComment = "somebody", r.Spec.Comment
	if r.Spec.Approver != nil {
		a.RejectedBy = r.Spec.Approver.Username
	}
}

// RequiredApprovals returns how many persons must approve a window: at least two if a machine requested it.
func RequiredApprovals(w *v1alpha1.ChangeWindow, c estate.Controls) int {
	if w.Spec.RequestedBy != nil {
		if _, _, machine := estate.ServiceAccount(w.Spec.RequestedBy.Username); machine {
			return max(int(c.RequiredApprovals), 2)
		}
	}
	if w.Spec.Type == v1alpha1.WindowEmergency {
		return 0 // it is reviewed afterwards
	}
	return int(c.RequiredApprovals)
}

// voice is a person who approves, and the person whose right that is: the same, unless somebody has delegated it.
type voice struct{ by, holder *v1alpha1.Stamp }

func (v voice) String() string {
	if v.by == v.holder {
		return v.by.Username
	}
	return v.by.Username + " for " + v.holder.Username
}

// either reports whether a check holds for either person.
func (v voice) either(is func(*v1alpha1.Stamp) bool) bool { return is(v.by) || is(v.holder) }

// counting is the count of one window's approvals.
type counting struct {
	window   *v1alpha1.ChangeWindow
	state    *State
	controls estate.Controls
	executor *Party
	unfit    ApproverCheck
	at       time.Time
	digest   string
	voices   []voice
}

// voice returns whose word an approval is, and why it does not count; empty: it does. What would disqualify a person disqualifies who approves
// in their stead, too: nobody approves what they requested through a friend.
func (c *counting) voice(a *v1alpha1.ChangeApproval) (voice, string) {
	v := voice{by: a.Spec.Approver, holder: a.Spec.Approver}
	if v.by == nil || v.by.Username == "" {
		return v, fmt.Sprintf("approval %q carries no stamp", a.Name)
	}
	if a.Spec.OnBehalfOf != nil {
		d, why := Delegated(a, c.state.Delegations)
		if why != "" {
			return v, why
		}
		v.holder = d.Spec.Delegator
	}
	return v, c.whyNot(a, v)
}

func (c *counting) whyNot(a *v1alpha1.ChangeApproval, v voice) string {
	w := c.window
	not := cmp.Or(c.unfit(w.Spec.Environment, v.by), c.unfit(w.Spec.Environment, v.holder))
	switch {
	case a.DeletionTimestamp != nil:
		return fmt.Sprintf("approval %q is being deleted", a.Name)
	case a.Spec.Decision != v1alpha1.DecisionApprove:
		return fmt.Sprintf("approval %q says %q, which approves nothing", a.Name, a.Spec.Decision)
	case a.Spec.Digest != c.digest:
		return fmt.Sprintf("the approval of %s is for other words than the window's", v)
	case not != "":
		return not
	case w.Spec.RequestedBy == nil || v.either(func(s *v1alpha1.Stamp) bool { return SamePerson(s, w.Spec.RequestedBy) }):
		return fmt.Sprintf("%s requested the window", who(v, w.Spec.RequestedBy))
	case c.executor != nil && v.either(c.executor.same):
		return fmt.Sprintf("%s would also execute it", v)
	case slices.ContainsFunc(c.voices, v.overlaps):
		return fmt.Sprintf("%s approved more than once", v)
	case !MayApprove(c.controls.Approvers, v.holder), slices.ContainsFunc(c.controls.AlsoApprovers, func(l v1alpha1.Approvers) bool { return !MayApprove(l, v.holder) }):
		return fmt.Sprintf("%s is not among the environment's approvers", v.holder.Username)
	case lapsed(a.CreationTimestamp.Time, w, c.controls, c.at):
		return fmt.Sprintf("the approval of %s was given too long before", v)
	}
	return c.state.Unauthorised[a.UID]
}

// overlaps reports whether a person is in both voices: four eyes are those of two persons, in whoever's stead they approve.
func (v voice) overlaps(o voice) bool {
	return v.either(func(s *v1alpha1.Stamp) bool { return SamePerson(s, o.by) || SamePerson(s, o.holder) })
}

// who returns the person of a voice that is the requester.
func who(v voice, requester *v1alpha1.Stamp) string {
	if SamePerson(v.holder, requester) {
		return v.holder.Username
	}
	return v.by.Username
}

// MayApprove applies the environment's limit. Without one, RBAC alone decided when the approval was created.
func MayApprove(l v1alpha1.Approvers, by *v1alpha1.Stamp) bool {
	if len(l.Users)+len(l.Groups) == 0 {
		return true
	}
	s := v1alpha1.Subjects{Users: l.Users, Groups: l.Groups}
	return MatchSubjects(&s, Party{Username: by.Username, Groups: by.Groups})
}

// Lapses returns when an approval of a Standard window, given at an instant, stops to count although the window goes on; false: it counts as
// long as the window.
func Lapses(w *v1alpha1.ChangeWindowSpec, c estate.Controls, given time.Time) (time.Time, bool) {
	if w.Type != v1alpha1.WindowStandard || w.Schedule.Recurrence == nil {
		return time.Time{}, false
	}
	end := given.Add(c.StandardApprovalValidity)
	return end, end.Before(w.Schedule.Recurrence.ValidUntil.Time)
}

// lapsed reports whether an approval is too old. For a Normal window it counts if it was given at most approvalValidity
// before the window opens; for a Standard window, for a time from when it was given.
func lapsed(given time.Time, w *v1alpha1.ChangeWindow, c estate.Controls, at time.Time) bool {
	if w.Spec.Type == v1alpha1.WindowStandard {
		return schedule.Expired(given.Add(c.StandardApprovalValidity), at)
	}
	start := w.Spec.Schedule.Start
	return start != nil && !given.IsZero() && start.Sub(given) > c.ApprovalValidity
}
