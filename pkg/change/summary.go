package change

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// Summary is what a window's status tells people.
type Summary struct {
	Phase     v1alpha1.WindowPhase
	Reason    string
	Message   string
	Approvals Approvals
}

// ApprovalMessage says who approved or rejected, in words.
func (s Summary) ApprovalMessage() string {
	switch {
	case s.Approvals.RejectedBy != "":
		return "rejected by " + s.Approvals.RejectedBy
	case len(s.Approvals.By) > 0:
		return "approved by " + strings.Join(s.Approvals.By, " and ")
	}
	return fmt.Sprintf("%d approvals are needed", s.Approvals.Required)
}

// Summarise asks a window how it stands, for nobody and nothing in particular.
func Summarise(w *v1alpha1.ChangeWindow, approvals []v1alpha1.ChangeApproval, used []v1alpha1.ChangeExecution,
	c estate.Controls, cluster string, at time.Time, unfit Unfit) Summary {
	s := Summary{Approvals: CountApprovals(w, approvals, c, nil, unfit)}
	v := Verdict{Window: w, Approvals: s.Approvals, Max: maxExecutions(w)}
	if w.Spec.Schedule.Start != nil && w.Spec.Schedule.End != nil {
		v.Opens, v.Closes = w.Spec.Schedule.Start.Time, w.Spec.Schedule.End.Time
	}
	q := &Query{At: at, Cluster: cluster, Controls: c}
	s.Phase, s.Reason, s.Message = phase(&v, q, used)
	return s
}

func phase(v *Verdict, q *Query, used []v1alpha1.ChangeExecution) (v1alpha1.WindowPhase, string, string) {
	w := v.Window
	if why := inForce(v, q, nil); why != "" {
		return v1alpha1.WindowInvalid, "Malformed", why
	}
	if named := w.Spec.Scope.Clusters; len(named) > 0 && !slices.Contains(named, q.Cluster) {
		return v1alpha1.WindowPending, "OtherCluster", fmt.Sprintf("it is for cluster %s, and this is %q", quoted(named), q.Cluster)
	}
	switch {
	case v.Approvals.RejectedBy != "":
		return v1alpha1.WindowRejected, "Rejected", "rejected by " + v.Approvals.RejectedBy
	case !q.At.Before(v.Closes):
		return v1alpha1.WindowClosed, "Closed", "closed at " + Instant(v.Closes)
	case !v.Approvals.Enough():
		return v1alpha1.WindowPending, "ApprovalsMissing", fmt.Sprintf("%d of %d approvals", len(v.Approvals.Names), v.Approvals.Required)
	case q.At.Before(v.Opens):
		return v1alpha1.WindowApproved, "NotYetOpen", "opens at " + Instant(v.Opens)
	case v.Max > 0 && len(used) >= v.Max:
		return v1alpha1.WindowExhausted, "Exhausted", "used " + times(len(used), v.Max)
	}
	return v1alpha1.WindowOpen, "Open", "until " + Instant(v.Closes)
}
