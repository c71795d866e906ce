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

// Summarise asks a window how it stands, for nobody and nothing in particular. The state holds the window's own executions
// that hold a slot, and no others.
func Summarise(w *v1alpha1.ChangeWindow, state *State, c estate.Controls, cluster string, at time.Time, unfit Unfit) Summary {
	s := Summary{Approvals: CountApprovals(w, state.Approvals, c, nil, unfit, at)}
	v := Verdict{Window: w, Approvals: s.Approvals, Max: maxExecutions(w)}
	v.occur(at, state)
	s.Opens, s.Closes = v.Opens, v.Closes
	q := &Query{At: at, Cluster: cluster, Controls: c}
	s.Phase, s.Reason, s.Message = phase(&v, q, state.Executions)
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
	case v.over:
		return v1alpha1.WindowClosed, "Closed", "closed at " + Instant(v.Closes)
	case !v.Approvals.Enough():
		return v1alpha1.WindowPending, "ApprovalsMissing", fmt.Sprintf("%d of %d approvals", len(v.Approvals.Names), v.Approvals.Required)
	case q.At.Before(v.Opens):
		return v1alpha1.WindowApproved, "NotYetOpen", "opens at " + Instant(v.Opens)
	case v.Max > 0 && inOccurrence(used, v.Occurrence) >= v.Max:
		return v1alpha1.WindowExhausted, "Exhausted", "used " + times(inOccurrence(used, v.Occurrence), v.Max)
	}
	return v1alpha1.WindowOpen, "Open", "until " + Instant(v.Closes)
}

func inOccurrence(used []v1alpha1.ChangeExecution, number int64) int {
	n := 0
	for i := range used {
		if used[i].Spec.Occurrence == number {
			n++
		}
	}
	return n
}
