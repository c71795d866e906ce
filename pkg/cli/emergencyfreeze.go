package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// trueEnd returns when an emergency ends, and why that is earlier than its window says: a second one that its requester has opened before
// the first was reviewed lasts half as long.
func (e *env) trueEnd(ctx context.Context, c client.Client, w *v1alpha1.ChangeWindow) (time.Time, string) {
	start, end := w.Spec.Schedule.Start.Time, w.Spec.Schedule.End.Time
	var windows v1alpha1.ChangeWindowList
	var approvals v1alpha1.ChangeApprovalList
	if c.List(ctx, &windows, client.InNamespace(w.Namespace)) != nil || c.List(ctx, &approvals, client.InNamespace(w.Namespace)) != nil {
		return end, ""
	}
	if change.SecondUnreviewed(w, &change.State{Windows: windows.Items, Approvals: approvals.Items}) {
		return start.Add(end.Sub(start) / 2), ", half as long as asked for, since you opened another that nobody has reviewed"
	}
	return end, ""
}

// passFreeze says which approvals an emergency still needs while a freeze holds. With --wait it waits for them.
func (e *env) passFreeze(ctx context.Context, c client.Client, w *v1alpha1.ChangeWindow, end time.Time, o *emergencyOptions) error {
	var list v1alpha1.ChangeFreezeList
	if err := c.List(ctx, &list); err != nil {
		fmt.Fprintf(e.ErrOut, "Whether a freeze holds is not known: %v.\n", err)
		return nil
	}
	now := e.clock()
	f := change.Frozen(list.Items, []string{w.Spec.Environment}, w.Namespace, now)
	switch {
	case f == nil:
		return nil
	case !o.override:
		fmt.Fprintf(e.ErrOut, "A freeze holds, and this window does not override it: %s. Changes need an emergency with --override-freeze, which somebody else approves.\n",
			change.FreezeInForce(f, w.Spec.Environment, now))
		return nil
	}
	need, err := e.needed(ctx, c, w.Spec.Environment)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.ErrOut, "A freeze holds: %s. This window passes it once %s.\n", change.FreezeInForce(f, w.Spec.Environment, now), approve(need))
	if !o.wait {
		return errors.New("it is not approved yet, so nothing was run; ask somebody to approve it, and run the command itself then, without another emergency; or use --wait")
	}
	return e.awaitApproval(ctx, c, w, need, end)
}

func approve(n int) string {
	if n == 1 {
		return "another member of the environment has approved it"
	}
	return fmt.Sprintf("%d other members of the environment have approved it", n)
}

// needed returns how many persons must approve an emergency that passes a freeze.
func (e *env) needed(ctx context.Context, c client.Client, environment string) (int, error) {
	var env v1alpha1.Environment
	if err := c.Get(ctx, client.ObjectKey{Name: environment}, &env); err != nil {
		return 0, fmt.Errorf("look at the environment: %w", err)
	}
	return max(1, int(estate.ControlsOf(env.Spec.ChangeControl).RequiredApprovals)), nil
}

// askEvery is how often an approval is looked for.
const askEvery = 2 * time.Second

// awaitApproval waits until so many approvals of a window count, or it is over.
func (e *env) awaitApproval(ctx context.Context, c client.Client, w *v1alpha1.ChangeWindow, need int, end time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, end.Sub(e.clock()))
	defer cancel()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		var now v1alpha1.ChangeWindow
		if err := c.Get(ctx, client.ObjectKeyFromObject(w), &now); err != nil && ctx.Err() == nil {
			fmt.Fprintf(e.ErrOut, "The window cannot be read: %v. Trying again.\n", err)
		}
		have, _, _ := strings.Cut(now.Status.Approvals, "/")
		if n, err := strconv.Atoi(have); err == nil && n >= need {
			fmt.Fprintln(e.ErrOut, "It is approved.")
			return nil
		}
		if now.Status.Phase == v1alpha1.WindowRejected {
			return errors.New("the emergency was rejected, so nothing was run")
		}
		select {
		case <-ctx.Done():
			return errors.New("nobody approved it in time, so nothing was run")
		case <-tick.C:
		}
	}
}
