package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

func (e *env) extend() *cobra.Command {
	var duration time.Duration
	reason := ""
	cmd := &cobra.Command{
		Use:   "extend WINDOW --duration 1h --reason WHY",
		Short: "Request that a change window stays open for longer",
		Long: `Requests another window that goes on for one that is too short: for the same objects and the same plan, from now on. What was used up of
the first stays used up. It is approved like any other.`,
		Example: `  kubectl firebreak extend reindex-20261127-090000 -n payments --duration 1h --reason "the index is larger than we thought"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.runExtend(cmd.Context(), args[0], duration, reason)
		},
	}
	cmd.Flags().DurationVar(&duration, "duration", time.Hour, "how long it stays open from now on")
	cmd.Flags().StringVar(&reason, "reason", "", "why it takes longer, which the approver reads; asked for unless given")
	return cmd
}

func (e *env) runExtend(ctx context.Context, name string, duration time.Duration, reason string) error {
	reason, err := e.answer("Reason, which the approver reads", "--reason", reason)
	if err != nil {
		return err
	}
	c, ns, err := e.client()
	if err != nil {
		return err
	}
	var old v1alpha1.ChangeWindow
	if err := c.Get(ctx, client.ObjectKey{Namespace: ns, Name: name}, &old); err != nil {
		return fmt.Errorf("look at the window: %w", err)
	}
	if old.Spec.Type == v1alpha1.WindowStandard {
		return errors.New("a window that recurs opens again by itself; request another one for what must not wait")
	}
	w := extended(&old, e.clock().UTC().Truncate(time.Second), duration, reason)
	if err := c.Create(ctx, w); err != nil {
		return fmt.Errorf("request the window: %w", err)
	}
	fmt.Fprintf(e.Out, "changewindow.firebreak.dev/%s requested in namespace %s; it goes on for %s\n", w.Name, w.Namespace, old.Name)
	fmt.Fprintln(e.Out, describe(&w.Spec.Schedule, e.clock()))
	_, err = fmt.Fprintf(e.Out, "Somebody else approves it with:\n\n  kubectl firebreak approve %s -n %s\n", w.Name, w.Namespace)
	return err
}

// extended returns a window that goes on for another.
func extended(old *v1alpha1.ChangeWindow, now time.Time, duration time.Duration, reason string) *v1alpha1.ChangeWindow {
	w := &v1alpha1.ChangeWindow{ObjectMeta: metav1.ObjectMeta{Namespace: old.Namespace}, Spec: *old.Spec.DeepCopy()}
	from, to := metav1.NewTime(now), metav1.NewTime(now.Add(duration))
	w.Spec.Schedule.Start, w.Spec.Schedule.End = &from, &to
	if by := old.Spec.RequestedBy; by != nil && old.Spec.Subjects.Empty() {
		w.Spec.Subjects = requesterOf(by) // whoever extends it, it stays theirs
	}
	w.Spec.RequestedBy, w.Spec.Reason = nil, reason
	if w.Spec.Extends == nil {
		w.Spec.Extends = &v1alpha1.LocalReference{Name: old.Name, UID: string(old.UID)}
	}
	base, _, _ := strings.Cut(old.Name, "-until-")
	w.Name = fmt.Sprintf("%s-until-%s", base, to.UTC().Format("20060102-150405"))
	return w
}

// requesterOf returns the subjects of a window that only its requester may use.
func requesterOf(by *v1alpha1.Stamp) v1alpha1.Subjects {
	if ns, name, machine := estate.ServiceAccount(by.Username); machine {
		return v1alpha1.Subjects{ServiceAccounts: []v1alpha1.ServiceAccountGlob{v1alpha1.ServiceAccountGlob(ns + "/" + name)}}
	}
	return v1alpha1.Subjects{Users: []v1alpha1.Glob{v1alpha1.Glob(by.Username)}}
}

func (e *env) closeWindow() *cobra.Command {
	return &cobra.Command{
		Use:   "close WINDOW",
		Short: "Close a change window early: nothing more may be started under it",
		Long: `Closes a window by deleting it. What was admitted under it goes on; the record of it, and of who closed it, stays. Its way
back is closed too, and a window that extends it stays open.`,
		Example: `  kubectl firebreak close reindex-20261127-090000 -n payments`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, ns, err := e.client()
			if err != nil {
				return err
			}
			w := &v1alpha1.ChangeWindow{}
			if err := c.Get(cmd.Context(), client.ObjectKey{Namespace: ns, Name: args[0]}, w); err != nil {
				return fmt.Errorf("look at the window: %w", err)
			}
			if err := c.Delete(cmd.Context(), w, client.Preconditions{UID: &w.UID}); err != nil {
				return fmt.Errorf("close the window: %w", err)
			}
			_, err = fmt.Fprintf(e.Out, "changewindow.firebreak.dev/%s closed; what was admitted under it goes on\n", w.Name)
			return err
		},
	}
}
