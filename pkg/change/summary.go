package change

import (
	"fmt"
	"strings"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Summary is what a window's status says to people.
type Summary struct {
	Phase     v1alpha1.WindowPhase
	Reason    string
	Message   string
	Approvals Approvals
	// Opens and Closes are the instants of the present or next occurrence; they are zero if there is none.
	Opens, Closes time.Time
}

// ApprovalMessage returns a sentence about the approvals or the rejection.
func (s Summary) ApprovalMessage() string {
	switch {
	case s.Approvals.RejectedBy != "":
		return "rejected by " + s.Approvals.RejectedBy
	case len(s.Approvals.By) > 0:
		return "approved by " + strings.Join(s.Approvals.By, " and ")
	}
	if s.Approvals.Required == 1 {
		return "one approval is needed"
	}
	return fmt.Sprintf("%d approvals are needed", s.Approvals.Required)
}

// Summarise judges the state of a window without a requester or an object. It makes the same checks as Judge, but for those
// about the requester and the object. The query gives At, Cluster, FirebreakNamespace, Controls and Unfit.
func Summarise(w *v1alpha1.ChangeWindow, q Query, state *State) Summary {
	q.Requester = Party{Controller: true}
	v := Verdict{Window: w, Stage: Covers}
	v.occur(q.At, state)
	for _, c := range checks() {
		if c.asker {
			continue
		}
		if v.Why = c.ask(&v, &q, state); v.Why != "" {
			v.Stage = c.stage
			break
		}
	}
	s := Summary{Approvals: CountApprovals(w, state, q.Controls, nil, q.Unfit, q.At), Opens: v.Opens, Closes: v.Closes}
	s.Phase, s.Reason, s.Message = phase(&v, q.At)
	return s
}

// phase turns a verdict, which is in the words of a denial, into those of a status.
func phase(v *Verdict, at time.Time) (v1alpha1.WindowPhase, string, string) {
	why := strings.TrimPrefix(v.Why, "it ")
	switch v.Stage {
	case OtherCluster:
		return v1alpha1.WindowPending, "OtherCluster", v.Why
	case NotInForce:
		if v.Window.DeletionTimestamp != nil {
			return v1alpha1.WindowClosed, "Deleted", v.Why
		}
		return v1alpha1.WindowInvalid, "Malformed", v.Why
	case Rejected:
		return v1alpha1.WindowRejected, "Rejected", "rejected by " + v.Approvals.RejectedBy
	case Closed:
		return v1alpha1.WindowClosed, "Closed", why
	case Unapproved:
		return v1alpha1.WindowPending, "ApprovalsMissing", strings.TrimPrefix(v.Why, "it has ")
	case NotYetOpen:
		if at.Before(v.Opens) {
			return v1alpha1.WindowApproved, "NotYetOpen", why
		}
		return v1alpha1.WindowClosed, "StartPassed", v.Why
	case Exhausted:
		return v1alpha1.WindowExhausted, "Exhausted", strings.TrimPrefix(why, "has been ")
	default: // the other stages are about the requester
		return v1alpha1.WindowOpen, "Open", "until " + Instant(v.Closes)
	}
}
