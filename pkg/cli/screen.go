package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/schedule"
)

// screen is what an approver sees of a window.
type screen struct {
	*env
	c client.Client
	w *v1alpha1.ChangeWindow
}

// show prints all that an approver should know: who asks for what, who may use it, when and where, what freezes lie over it, and the whole
// plan, with what it changes.
func (s *screen) show(ctx context.Context) {
	spec := &s.w.Spec
	who := "somebody"
	if spec.RequestedBy != nil {
		who = spec.RequestedBy.Username
	}
	fmt.Fprintf(s.Out, "Window %s/%s, requested by %s for environment %s\n", s.w.Namespace, s.w.Name, plain(who), plain(spec.Environment))
	s.line("reason", plain(spec.Reason))
	s.line("ticket", plain(spec.Ticket))
	s.line("rollback", plain(spec.Rollback))
	s.line("open", opening(&spec.Schedule))
	if spec.Extends != nil {
		s.line("extends", plain(spec.Extends.Name)+": the executions of both are counted together")
	}
	s.line("way back", wayBackFor(spec))
	if spec.StartBefore != nil {
		s.line("start", fmt.Sprintf("within %s from the opening", change.Short(spec.StartBefore.Duration)))
	}
	if spec.Overrun == v1alpha1.OverrunDeadline {
		s.line("overrun", "not allowed: every run must end before the window closes")
	}
	s.line("used by", usedBy(spec, who))
	s.line("clusters", orAll(spec.Scope.Clusters, "every cluster that has this window"))
	s.line("namespaces", orAll(spec.Scope.Namespaces, s.w.Namespace))
	s.line("executions", executions(spec))
	s.line("approvals", approvals(s.w))
	s.line("lapses", s.lapse(ctx))
	if spec.OverridesFreeze {
		s.line("freezes", "OVERRIDDEN: it may be used while a freeze holds")
	}
	s.freezes(ctx)
	for _, r := range spec.Scope.Resources {
		s.line("may", plain(fmt.Sprintf("%s %s %s%s%s", join(spec.Scope.Operations), r.Kind, join(r.Names), timesOf(r.Executions), uidsOf(&r))))
	}
	s.consequences(ctx)
	s.plan(ctx)
}

// uidsOf says which object a deletion is for.
func uidsOf(r *v1alpha1.ScopedResource) string {
	if len(r.UIDs) == 0 {
		return ""
	}
	return " (Delete only of UID " + strings.Join(r.UIDs, ", ") + ")"
}

func (s *screen) line(name, value string) { line(s.Out, name, value) }

func line(out io.Writer, name, value string) {
	if value != "" {
		fmt.Fprintf(out, "  %-11s %s\n", name, value)
	}
}

func opening(s *v1alpha1.Schedule) string {
	switch r := s.Recurrence; {
	case r != nil:
		return fmt.Sprintf("by %q in %s, each time for %s, until %s", r.Cron, r.TimeZone, change.Short(r.Duration.Duration), change.Instant(r.ValidUntil.Time))
	case s.Start != nil && s.End != nil:
		return fmt.Sprintf("%s to %s", change.Instant(s.Start.Time), change.Instant(s.End.Time))
	}
	return ""
}

func usedBy(spec *v1alpha1.ChangeWindowSpec, requester string) string {
	var out []string
	for _, u := range spec.Subjects.Users {
		out = append(out, "user "+plain(string(u)))
	}
	for _, g := range spec.Subjects.Groups {
		out = append(out, "group "+plain(string(g)))
	}
	for _, a := range spec.Subjects.ServiceAccounts {
		out = append(out, "service account "+plain(string(a)))
	}
	if len(out) == 0 {
		return plain(requester)
	}
	return strings.Join(out, ", ")
}

func orAll(list []string, all string) string {
	if len(list) == 0 {
		return all
	}
	return plain(strings.Join(list, ", "))
}

func executions(spec *v1alpha1.ChangeWindowSpec) string {
	switch {
	case spec.MaxExecutionsPerOccurrence != nil && spec.MaxExecutions != nil:
		return fmt.Sprintf("%d each time, %d in all", *spec.MaxExecutionsPerOccurrence, *spec.MaxExecutions)
	case spec.MaxExecutionsPerOccurrence != nil:
		return fmt.Sprintf("%d each time", *spec.MaxExecutionsPerOccurrence)
	case spec.MaxExecutions != nil:
		return fmt.Sprint(*spec.MaxExecutions)
	case spec.Type == v1alpha1.WindowEmergency:
		return "without limit"
	}
	switch n := change.Apart(spec); {
	case n == 0:
		return "1"
	case spec.Type == v1alpha1.WindowStandard:
		return fmt.Sprintf("%d each time: %s", n, each(spec))
	case n == 1:
		return "1"
	default:
		return fmt.Sprintf("%d: %s", n, each(spec))
	}
}

// wayBackFor says for how long what was stored may be put back.
func wayBackFor(spec *v1alpha1.ChangeWindowSpec) string {
	if spec.RollbackWithin == nil {
		return ""
	}
	return fmt.Sprintf("what is stored now may be put back once, until %s after the window has closed", change.Short(spec.RollbackWithin.Duration))
}

// each says how often each object may be used.
func each(spec *v1alpha1.ChangeWindowSpec) string {
	often := func(r *v1alpha1.ScopedResource) bool { return r.Executions != nil && *r.Executions > 1 }
	if spec.Plan != nil && slices.ContainsFunc(spec.Plan.Workloads, func(p v1alpha1.PlannedWorkload) bool { return often(&p.ScopedResource) }) ||
		slices.ContainsFunc(spec.Scope.Resources, func(r v1alpha1.ScopedResource) bool { return often(&r) }) {
		return "each object as often as is said with it"
	}
	out := "each object once"
	if len(spec.Scope.Namespaces) > 1 {
		out += " in each namespace"
	}
	if len(spec.Scope.Operations) > 1 {
		out += "; what the plan does not pin, once for each operation"
	}
	return out
}

func approvals(w *v1alpha1.ChangeWindow) string {
	have, need, ok := strings.Cut(w.Status.Approvals, "/")
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s of %s", have, need)
}

// lapse says when an approval that is given now stops to count before the window ends.
func (s *screen) lapse(ctx context.Context) string {
	if s.w.Spec.Type != v1alpha1.WindowStandard {
		return ""
	}
	var e v1alpha1.Environment
	if err := s.c.Get(ctx, client.ObjectKey{Name: s.w.Spec.Environment}, &e); err != nil {
		return fmt.Sprintf("how long an approval counts is not known: %v", err)
	}
	end, early := change.Lapses(&s.w.Spec, estate.ControlsOf(e.Spec.ChangeControl), s.clock())
	if !early {
		return ""
	}
	return fmt.Sprintf("an approval that is given now counts until %s, which is before the window ends; then it must be approved again", change.Instant(end))
}

// freezes prints each freeze that holds while the window is open, and when the window can be used then.
func (s *screen) freezes(ctx context.Context) {
	for _, l := range s.frozen(ctx) {
		s.line("freeze", l)
	}
}

// frozen returns a sentence for each freeze that lies over the next opening of a window, and one that says what that leaves of it.
func (s *screen) frozen(ctx context.Context) []string {
	now := s.clock()
	compiled, err := schedule.Compile(&s.w.Spec.Schedule, now)
	if err != nil {
		return nil
	}
	next, ok := compiled.PresentOrNext(now)
	if !ok {
		return nil
	}
	var list v1alpha1.ChangeFreezeList
	if err := s.c.List(ctx, &list); err != nil {
		return []string{fmt.Sprintf("freezes cannot be read, so none is told: %v", err)}
	}
	opens := next.Start
	if now.After(opens) {
		opens = now
	}
	over := change.FreezesOver(s.w, list.Items, opens, next.End)
	var out []string
	for _, f := range over {
		out = append(out, freezeLine(f))
	}
	if len(over) > 0 && !s.w.Spec.OverridesFreeze {
		out = append(out, usable(over, opens, next.End))
	}
	return out
}

func freezeLine(f change.Freezing) string {
	who, until := "somebody", "until it is lifted"
	if f.Freeze.Spec.RequestedBy != nil {
		who = plain(f.Freeze.Spec.RequestedBy.Username)
	}
	if !f.End.IsZero() {
		until = "to " + change.Instant(f.End)
	}
	return fmt.Sprintf("freeze %q holds from %s %s (%s: %s); %s lifts it with: kubectl firebreak unfreeze %s",
		f.Freeze.Name, change.Instant(f.Start), until, who, plain(f.Freeze.Spec.Reason), who, f.Freeze.Name)
}

func usable(over []change.Freezing, opens, closes time.Time) string {
	at, ok := change.FirstUnfrozen(over, opens, closes)
	switch {
	case !ok:
		return "the window does not open unless the freeze is lifted"
	case at.Equal(opens):
		return "the window opens, and closes while the freeze holds"
	}
	return "the window can be used from " + change.Instant(at)
}
