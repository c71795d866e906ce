package cli

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

// lineOf returns a window as a line of a list, with the opening of its status.
func lineOf(w *v1alpha1.ChangeWindow) WindowLine {
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

// line returns an opening as a line of a list.
func (x *openTime) line(now time.Time) WindowLine {
	l := lineOf(x.window)
	opens, closes := x.start.UTC(), x.end.UTC()
	l.State, l.Opens, l.Closes = x.state(now), &opens, &closes
	for _, f := range x.frozen {
		l.Freezes = append(l.Freezes, f.Freeze.Name)
	}
	return l
}

func windowLines(all []openTime, now time.Time) []WindowLine {
	out := []WindowLine{}
	for i := range all {
		out = append(out, all[i].line(now))
	}
	return out
}

// onceEach returns the present or next opening of each window.
func onceEach(all []openTime) []openTime {
	var out []openTime
	seen := map[*v1alpha1.ChangeWindow]bool{}
	for i := range all {
		if w := all[i].window; !seen[w] {
			seen[w] = true
			out = append(out, all[i])
		}
	}
	return out
}

// wide returns the columns that -o wide adds.
func (l *WindowLine) wide() string {
	return l.Type + "\t" + l.Approvals + "\t" + plain(strings.Join(l.Operations, ",")) + "\t" + plain(strings.Join(l.Resources, ","))
}
