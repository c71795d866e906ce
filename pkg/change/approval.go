package change

import (
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
}

// Enough reports whether the window is approved.
func (a Approvals) Enough() bool {
	return a.RejectedBy == "" && len(a.Names) >= a.Required && (a.Afterwards || len(a.Lacks) == 0)
}

// CountApprovals counts the approvals of a window. executor is the requester that would use it; it is nil if there is none
// yet.
func CountApprovals(w *v1alpha1.ChangeWindow, all []v1alpha1.ChangeApproval, c estate.Controls, executor *Party, unfit ApproverCheck, at time.Time) Approvals {
	out := Approvals{Required: RequiredApprovals(w, c), Afterwards: w.Spec.Type == v1alpha1.WindowEmergency}
	digest := WindowDigest(&w.Spec)
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b v1alpha1.ChangeApproval) int {
		if d := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	var counted []*v1alpha1.Stamp
	for i := range sorted {
		a := &sorted[i]
		if a.Namespace != w.Namespace || a.Spec.Window == nil || a.Spec.Window.UID != string(w.UID) {
			continue
		}
		if a.Spec.Decision == v1alpha1.DecisionReject {
			out.reject(a)
			continue
		}
		if why := whyNotCounted(a, w, digest, c, executor, unfit, counted, at); why != "" {
			out.Ignored = append(out.Ignored, why)
			continue
		}
		counted = append(counted, a.Spec.Approver)
		out.Names, out.By = append(out.Names, a.Name), append(out.By, a.Spec.Approver.Username)
	}
	out.Lacks = lacking(c.RequiredFrom, counted)
	return out
}

// lacking says of which groups too few have approved.
func lacking(all []v1alpha1.GroupQuorum, by []*v1alpha1.Stamp) []string {
	var out []string
	for _, q := range all {
		missing := max(1, int(q.Approvals))
		for _, s := range by {
			if slices.Contains(s.Groups, q.Group) {
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

func whyNotCounted(a *v1alpha1.ChangeApproval, w *v1alpha1.ChangeWindow, digest string, c estate.Controls,
	executor *Party, unfit ApproverCheck, counted []*v1alpha1.Stamp, at time.Time) string {
	by := a.Spec.Approver
	if by == nil || by.Username == "" {
		return fmt.Sprintf("approval %q carries no stamp", a.Name)
	}
	not := unfit(w.Spec.Environment, by)
	switch {
	case a.DeletionTimestamp != nil:
		return fmt.Sprintf("approval %q is being deleted", a.Name)
	case a.Spec.Decision != v1alpha1.DecisionApprove:
		return fmt.Sprintf("approval %q says %q, which approves nothing", a.Name, a.Spec.Decision)
	case a.Spec.Digest != digest:
		return fmt.Sprintf("the approval of %s is for other words than the window's", by.Username)
	case not != "":
		return not
	case w.Spec.RequestedBy == nil || SamePerson(by, w.Spec.RequestedBy):
		return fmt.Sprintf("%s requested the window", by.Username)
	case executor != nil && executor.same(by):
		return fmt.Sprintf("%s would also execute it", by.Username)
	case slices.ContainsFunc(counted, func(s *v1alpha1.Stamp) bool { return SamePerson(s, by) }):
		return fmt.Sprintf("%s approved more than once", by.Username)
	case !mayApprove(c.Approvers, by), slices.ContainsFunc(c.AlsoApprovers, func(l v1alpha1.Approvers) bool { return !mayApprove(l, by) }):
		return fmt.Sprintf("%s is not among the environment's approvers", by.Username)
	case lapsed(a.CreationTimestamp.Time, w, c, at):
		return fmt.Sprintf("the approval of %s was given too long before", by.Username)
	}
	return ""
}

// mayApprove applies the environment's limit. Without one, RBAC alone decided when the approval was created.
func mayApprove(l v1alpha1.Approvers, by *v1alpha1.Stamp) bool {
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
