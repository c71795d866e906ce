package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

type wordOptions struct {
	comment string
	yes     bool
}

func (e *env) approve() *cobra.Command {
	var o wordOptions
	cmd := &cobra.Command{
		Use:   "approve WINDOW",
		Short: "Look at a change window and approve it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.word(cmd.Context(), args[0], v1alpha1.DecisionApprove, &o)
		},
	}
	cmd.Flags().StringVar(&o.comment, "comment", "", "for the record")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask for confirmation")
	return cmd
}

func (e *env) reject() *cobra.Command {
	var o wordOptions
	cmd := &cobra.Command{
		Use:   "reject WINDOW",
		Short: "Reject a change window, or revoke an approved one",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.yes = true // rejecting is always safe
			return e.word(cmd.Context(), args[0], v1alpha1.DecisionReject, &o)
		},
	}
	cmd.Flags().StringVar(&o.comment, "comment", "", "for the record")
	return cmd
}

// word creates a person's approval or rejection of a window, with the digest of the window that was shown.
func (e *env) word(ctx context.Context, name string, decision v1alpha1.ApprovalDecision, o *wordOptions) error {
	c, ns, err := e.client()
	if err != nil {
		return err
	}
	var w v1alpha1.ChangeWindow
	if err := c.Get(ctx, client.ObjectKey{Namespace: ns, Name: name}, &w); err != nil {
		return fmt.Errorf("look at the window: %w", err)
	}
	show(e.Out, &w)
	if !o.yes {
		if err := e.confirm(w.Spec.Environment); err != nil {
			return err
		}
	}
	a := &v1alpha1.ChangeApproval{
		ObjectMeta: metav1.ObjectMeta{GenerateName: name + "-", Namespace: ns},
		Spec: v1alpha1.ChangeApprovalSpec{
			Window:   &v1alpha1.LocalReference{Name: w.Name, UID: string(w.UID)},
			Digest:   change.WindowDigest(&w.Spec),
			Decision: decision,
			Comment:  o.comment,
		},
	}
	if err := c.Create(ctx, a); err != nil {
		return fmt.Errorf("%s the window: %w", strings.ToLower(string(decision)), err)
	}
	verb := "approved"
	if decision == v1alpha1.DecisionReject {
		verb = "rejected"
	}
	fmt.Fprintf(e.Out, "changewindow.firebreak.dev/%s %s (%s)\n", w.Name, verb, a.Name)
	return nil
}

// confirm asks the approver to type the environment: people who type a name notice what they overlooked when they read it.
func (e *env) confirm(environment string) error {
	fmt.Fprintf(e.Out, "\nType the name of the environment to approve: ")
	got, err := e.line()
	switch {
	case err != nil:
		return err
	case got == "":
		return errors.New("nothing was typed, so nothing is approved; use --yes where nobody can type")
	case got != environment:
		return fmt.Errorf("%q was typed, and the window is for %q; nothing is approved", got, environment)
	}
	return nil
}

// show prints what an approver should know about a window.
func show(out io.Writer, w *v1alpha1.ChangeWindow) {
	s := &w.Spec
	who := "somebody"
	if s.RequestedBy != nil {
		who = s.RequestedBy.Username
	}
	fmt.Fprintf(out, "Window %s/%s, requested by %s for environment %s\n", w.Namespace, w.Name, who, s.Environment)
	fmt.Fprintf(out, "  reason      %s\n", s.Reason)
	for _, f := range []struct{ name, value string }{{"ticket", s.Ticket}, {"rollback", s.Rollback}} {
		if f.value != "" {
			fmt.Fprintf(out, "  %-11s %s\n", f.name, f.value)
		}
	}
	switch r := s.Schedule.Recurrence; {
	case r != nil:
		fmt.Fprintf(out, "  open        by %q in %s, each time for %s, until %s\n", r.Cron, r.TimeZone, change.Short(r.Duration.Duration), change.Instant(r.ValidUntil.Time))
	case s.Schedule.Start != nil && s.Schedule.End != nil:
		fmt.Fprintf(out, "  open        %s to %s\n", change.Instant(s.Schedule.Start.Time), change.Instant(s.Schedule.End.Time))
	}
	if s.MaxExecutions != nil {
		fmt.Fprintf(out, "  executions  %d\n", *s.MaxExecutions)
	}
	if n := s.MaxExecutionsPerOccurrence; n != nil {
		fmt.Fprintf(out, "  executions  %d each time\n", *n)
	}
	for _, r := range s.Scope.Resources {
		fmt.Fprintf(out, "  may         %s %s %s\n", join(s.Scope.Operations), r.Kind, join(r.Names))
	}
	if s.Plan == nil {
		fmt.Fprintf(out, "  plan        none: whatever is in scope may run\n")
		return
	}
	for _, p := range s.Plan.Workloads {
		fmt.Fprintf(out, "  plan        %s %s %s\n", p.Kind, join(p.Names), p.Digest)
		for _, f := range p.Fields {
			if f.Text != "" {
				fmt.Fprintf(out, "                %s = %s\n", f.Path, f.Text)
			}
		}
	}
}

func join[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return strings.Join(out, ",")
}
