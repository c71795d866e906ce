package change

import (
	"fmt"
	"strings"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Summary is what a window's status tells people.
type Summary struct {
	Phase     v1alpha1.WindowPhase
	Reason    string
	Message   string
	Approvals Approvals
	// Opens and Closes are the instants of the present or next occurrence; zero: none comes.
	Opens, Closes time.Time
}

// ApprovalMessage says who approved or rejected, in words.
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

// Summarise asks a window how it stands, for nobody and nothing in particular: by the same checks that Judge asks, but for those
// about who asks and what for. The query says when and where: At, Cluster, FirebreakNamespace, Controls and Unfit.
func Summarise(w *v1alpha1.ChangeWindow, q Query, state *State) Summary {
	q.Requester = Party{Controller: true}
	v := Verdict{Window: w, Max: maxExecutions(w), Stage: Covers}
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
	s := Summary{Approvals: CountApprovals(w, state.Approvals, q.Controls, nil, q.Unfit, q.At), Opens: v.Opens, Closes: v.Closes}
	s.Phase, s.Reason, s.Message = phase(&v, q.At)
	return s
}

// phase says in the words of a status what a verdict says in those of a denial.
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
		return v1alpha1.WindowPending, "ApprovalsMissing", fmt.Sprintf("%d of %d approvals", len(v.Approvals.Names), v.Approvals.Required)
	case NotYetOpen:
		if at.Before(v.Opens) {
			return v1alpha1.WindowApproved, "NotYetOpen", why
		}
		return v1alpha1.WindowClosed, "StartPassed", v.Why
	case Exhausted:
		return v1alpha1.WindowExhausted, "Exhausted", strings.TrimPrefix(why, "has been ")
	default: // the other stages are about who asks
		return v1alpha1.WindowOpen, "Open", "until " + Instant(v.Closes)
	}
}
