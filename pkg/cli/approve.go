package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

type wordOptions struct {
	comment string
	yes     bool
	// files are compared with the plan. unseen lets what the window does not say be approved.
	files  []string
	unseen bool
	// all approves what waits for the user.
	all bool
}

func (e *env) approve() *cobra.Command {
	var o wordOptions
	cmd := &cobra.Command{
		Use:   "approve (WINDOW... [-f FILE] | --all-mine)",
		Short: "Look at change windows and approve them",
		Long: `Shows a change window and asks for its environment before it is approved: who may use it, when and where, the freezes that lie over it, and
everything that it lets run, but for credentials. For what exists already it shows what changes. With -f, it says whether a manifest is
what the window pins, and approves nothing that differs.`,
		Example: `  kubectl firebreak approve reindex-20261127-090000 -n payments
  kubectl firebreak approve reindex-20261127-090000 -n payments -f reindex.yaml
  kubectl firebreak approve --all-mine`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.all == (len(args) > 0):
				return errors.New("give the windows, or --all-mine for all that wait for you; kubectl firebreak pending lists them")
			case o.all && o.yes:
				return errors.New("--all-mine asks about each window; approve windows by name with --yes")
			case o.all && len(o.files) > 0:
				return errors.New("--filename is compared with one window; approve the windows one by one")
			case o.all:
				return e.approveAll(cmd.Context(), &o)
			}
			if len(o.files) > 0 && len(args) > 1 {
				return errors.New("--filename is compared with one window; approve the windows one by one")
			}
			if slices.Contains(o.files, "-") && !o.yes {
				return errors.New("--filename - takes what you would type; give --yes, or a file")
			}
			for _, name := range args {
				if err := e.word(cmd.Context(), name, v1alpha1.DecisionApprove, &o); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringArrayVarP(&o.files, "filename", "f", nil, "manifest that is compared with what the window pins (repeatable)")
	cmd.Flags().BoolVar(&o.all, "all-mine", false, "look at each window that waits for you, in all namespaces unless you name one")
	cmd.Flags().BoolVar(&o.unseen, "unseen", false, "approve though the window pins something that it does not say")
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
	return e.wordOn(ctx, c, ns, name, decision, o)
}

func (e *env) wordOn(ctx context.Context, c client.Client, ns, name string, decision v1alpha1.ApprovalDecision, o *wordOptions) error {
	var w v1alpha1.ChangeWindow
	if err := c.Get(ctx, client.ObjectKey{Namespace: ns, Name: name}, &w); err != nil {
		return fmt.Errorf("look at the window: %w", err)
	}
	(&screen{e, c, &w}).show(ctx)
	if decision == v1alpha1.DecisionApprove {
		if err := e.seen(ctx, c, &w, o); err != nil {
			return err
		}
	}
	if !o.yes {
		if err := e.confirm(w.Spec.Environment); err != nil {
			return err
		}
	}
	a, err := e.utter(ctx, c, &w, decision, o.comment)
	if err != nil {
		return err
	}
	verb := "approved"
	if decision == v1alpha1.DecisionReject {
		verb = "rejected"
	}
	fmt.Fprintf(e.Out, "changewindow.firebreak.dev/%s %s (%s)\n", w.Name, verb, a.Name)
	return nil
}

// utter creates the user's approval or rejection of a window as they have seen it.
func (e *env) utter(ctx context.Context, c client.Client, w *v1alpha1.ChangeWindow, decision v1alpha1.ApprovalDecision, comment string) (*v1alpha1.ChangeApproval, error) {
	var behalf *v1alpha1.LocalReference
	if decision == v1alpha1.DecisionApprove {
		var err error
		if behalf, err = e.inStead(ctx, c, w); err != nil {
			return nil, err
		}
	}
	a := &v1alpha1.ChangeApproval{
		ObjectMeta: metav1.ObjectMeta{GenerateName: w.Name + "-", Namespace: w.Namespace},
		Spec: v1alpha1.ChangeApprovalSpec{
			Window:     &v1alpha1.LocalReference{Name: w.Name, UID: string(w.UID)},
			Digest:     change.WindowDigest(&w.Spec),
			Decision:   decision,
			Comment:    comment,
			OnBehalfOf: behalf,
		},
	}
	if err := c.Create(ctx, a); err != nil {
		return nil, fmt.Errorf("%s the window: %w", strings.ToLower(string(decision)), err)
	}
	return a, nil
}

// seen returns an error if a given file differs from the window, or if the window omits something that it pins, and no file was compared with that.
func (e *env) seen(ctx context.Context, c client.Client, w *v1alpha1.ChangeWindow, o *wordOptions) error {
	if err := e.notRejected(ctx, c, w); err != nil {
		return err
	}
	var compared []string
	if len(o.files) > 0 {
		var err error
		if compared, err = e.matches(ctx, c, w, o.files); err != nil {
			return err
		}
	}
	if missing := unsaid(w, compared); len(missing) > 0 && !o.unseen {
		return fmt.Errorf("the window does not say all that it pins: %s; compare it with the manifest (-f), or approve it --unseen", strings.Join(missing, ", "))
	}
	return nil
}

// notRejected returns an error if somebody has rejected a window: that outweighs every approval.
func (e *env) notRejected(ctx context.Context, c client.Client, w *v1alpha1.ChangeWindow) error {
	var all v1alpha1.ChangeApprovalList
	if err := c.List(ctx, &all, client.InNamespace(w.Namespace)); err != nil {
		return fmt.Errorf("look whether it was rejected: %w", err)
	}
	counted := change.CountApprovals(w, &change.State{Approvals: all.Items}, estate.Controls{}, nil, func(string, *v1alpha1.Stamp) string { return "" }, e.clock())
	if counted.RejectedBy == "" || w.Spec.Type == v1alpha1.WindowEmergency {
		return nil
	}
	why := ""
	if counted.RejectComment != "" {
		why = fmt.Sprintf(" (%q)", counted.RejectComment)
	}
	return fmt.Errorf("%s rejected it%s, and a rejection outweighs every approval; request another window if the change is still wanted", plain(counted.RejectedBy), plain(why))
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

func join[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return strings.Join(out, ",")
}
