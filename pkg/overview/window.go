package overview

import (
	"cmp"
	"strings"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// WindowLine is a change window in a list. Its form as JSON is stable.
type WindowLine struct {
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	Type        string `json:"type"`
	Environment string `json:"environment"`
	// State says what the window waits for, that it is open, or that it is over.
	State string `json:"state"`
	// Opens and Closes are the present or next opening.
	Opens     *time.Time `json:"opens,omitempty"`
	Closes    *time.Time `json:"closes,omitempty"`
	Requester string     `json:"requester"`
	// Approvals is how many count, of those required, such as 1/2.
	Approvals string `json:"approvals"`
	Reason    string `json:"reason"`
	Ticket    string `json:"ticket,omitempty"`
	// Operations and Resources are what may happen to which objects, such as Job/reindex-*.
	Operations []string `json:"operations"`
	Resources  []string `json:"resources"`
	// Freezes are the names of the freezes over the opening.
	Freezes []string `json:"freezes,omitempty"`
}

// LineOf returns a window as a line of a list, with the opening of its status.
func LineOf(w *v1alpha1.ChangeWindow) WindowLine {
	l := WindowLine{
		Namespace: w.Namespace, Name: w.Name, Type: string(cmp.Or(w.Spec.Type, v1alpha1.WindowNormal)), Environment: w.Spec.Environment, State: string(w.Status.Phase), Approvals: w.Status.Approvals,
		Reason: w.Spec.Reason, Ticket: w.Spec.Ticket, Operations: []string{}, Resources: []string{},
	}
	if by := w.Spec.RequestedBy; by != nil {
		l.Requester = by.Username
	}
	if t := w.Status.OpensAt; t != nil {
		l.Opens = &t.Time
	}
	if t := w.Status.ClosesAt; t != nil {
		l.Closes = &t.Time
	}
	for _, op := range w.Spec.Scope.Operations {
		l.Operations = append(l.Operations, string(op))
	}
	for _, r := range w.Spec.Scope.Resources {
		l.Resources = append(l.Resources, r.Kind+"/"+join(r.Names))
	}
	return l
}

func join[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return strings.Join(out, ",")
}
