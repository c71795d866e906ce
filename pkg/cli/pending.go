package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/overview"
)

func (e *env) pending() *cobra.Command {
	output := "text"
	cmd := &cobra.Command{
		Use:   "pending",
		Short: "List the change windows that wait for your approval, and the emergencies that wait for your review",
		Long: `Lists what waits for you in all namespaces, or in the one that you name: windows that others have requested, that you may approve and have
not, and emergencies of others that nobody has reviewed.`,
		Example: `  kubectl firebreak pending
  kubectl firebreak approve --all-mine`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output, forLists()...); err != nil {
				return err
			}
			c, _, err := e.client()
			if err != nil {
				return err
			}
			all, err := e.waiting(cmd.Context(), c)
			switch {
			case err != nil:
				return err
			case isEncoded(output):
				lines := []overview.WindowLine{}
				for i := range all {
					lines = append(lines, overview.LineOf(&all[i]))
				}
				return printAs(e.Out, output, map[string]any{"windows": lines})
			case len(all) == 0:
				_, err := fmt.Fprintf(e.Out, "Nothing waits for you in %s.\n", e.scopeOf())
				return err
			}
			return printWaiting(e, all, output == "wide")
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", output, oneOf(forLists()))
	return cmd
}

func printWaiting(e *env, all []v1alpha1.ChangeWindow, wide bool) error {
	w := tabwriter.NewWriter(e.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAMESPACE\tWINDOW\tTYPE\tENVIRONMENT\tOPENS\tREQUESTER\tAPPROVALS\tREASON"+ifWide(wide, "TICKET\tOPERATIONS\tRESOURCES"))
	for i := range all {
		l, opens := overview.LineOf(&all[i]), ""
		if l.Opens != nil {
			opens = change.Instant(*l.Opens)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s%s\n", l.Namespace, l.Name, l.Type, plain(l.Environment), opens, plain(l.Requester), l.Approvals, plain(l.Reason),
			ifWide(wide, plain(l.Ticket)+"\t"+plain(strings.Join(l.Operations, ","))+"\t"+plain(strings.Join(l.Resources, ","))))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	_, err := fmt.Fprintf(e.Out, "\nLook at one and approve it with:\n\n  kubectl firebreak approve %s -n %s\n", all[0].Name, all[0].Namespace)
	return err
}

// scopeOf says which namespaces a command looks at.
func (e *env) scopeOf() string {
	if ns := e.config.overrides.Context.Namespace; ns != "" {
		return fmt.Sprintf("namespace %q", ns)
	}
	return "any namespace"
}

// waiting returns the windows that wait for the user, by when they open: windows of others that lack approvals and that the user may approve and
// has not, and emergencies of others that nobody has reviewed.
func (e *env) waiting(ctx context.Context, c client.Client) ([]v1alpha1.ChangeWindow, error) {
	self, err := whoAmI(ctx, c)
	if err != nil {
		return nil, err
	}
	me := v1alpha1.Stamp{Username: self.Username, UID: self.UID}
	windows, approvals, err := e.windowsToSee(ctx, c)
	if err != nil {
		return nil, err
	}
	delegations := e.delegationsToSee(ctx, c)
	may := map[string]bool{}
	var out []v1alpha1.ChangeWindow
	for i := range windows {
		w := &windows[i]
		if !waitsFor(w, approvals, &me) {
			continue
		}
		if _, asked := may[w.Namespace]; !asked {
			if may[w.Namespace], err = mayApprove(ctx, c, w.Namespace, ""); err != nil {
				return nil, err
			}
			may[w.Namespace] = may[w.Namespace] || delegationTo(delegations, w.Namespace, self.Username, e.clock()) != nil
		}
		if may[w.Namespace] {
			out = append(out, *w)
		}
	}
	slices.SortFunc(out, func(a, b v1alpha1.ChangeWindow) int {
		if x, y := a.Status.OpensAt, b.Status.OpensAt; x != nil && y != nil && !x.Equal(y) {
			return x.Compare(y.Time)
		}
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	return out, nil
}

// waitsFor reports whether a window waits for a person who may approve.
func waitsFor(w *v1alpha1.ChangeWindow, approvals []v1alpha1.ChangeApproval, me *v1alpha1.Stamp) bool {
	if w.Spec.RequestedBy == nil || change.SamePerson(w.Spec.RequestedBy, me) || w.DeletionTimestamp != nil {
		return false
	}
	if w.Spec.Type == v1alpha1.WindowEmergency {
		return change.ReviewedBy(w, approvals) == ""
	}
	// Whoever has approved is asked again if that does not count any more.
	counts := !strings.HasPrefix(w.Status.Approvals, "0/")
	return (w.Status.Phase == "" || w.Status.Phase == v1alpha1.WindowPending) && (!counts || !saidBy(approvals, w, me))
}

// windowsToSee reads windows and approvals: of the namespace that was named, else of all, or of the present one if the user may not list them
// everywhere.
func (e *env) windowsToSee(ctx context.Context, c client.Client) ([]v1alpha1.ChangeWindow, []v1alpha1.ChangeApproval, error) {
	var windows v1alpha1.ChangeWindowList
	var approvals v1alpha1.ChangeApprovalList
	ns := e.config.overrides.Context.Namespace
	err := c.List(ctx, &windows, client.InNamespace(ns))
	if apierrors.IsForbidden(err) && ns == "" {
		if ns, _, err = e.config.loader().Namespace(); err != nil {
			return nil, nil, fmt.Errorf("read the namespace of the kubeconfig: %w", err)
		}
		fmt.Fprintf(e.ErrOut, "You may not list windows of all namespaces, so only namespace %q is looked at.\n", ns)
		err = c.List(ctx, &windows, client.InNamespace(ns))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list change windows: %w", err)
	}
	if err := c.List(ctx, &approvals, client.InNamespace(ns)); err != nil {
		return nil, nil, fmt.Errorf("list approvals: %w", err)
	}
	return windows.Items, approvals.Items, nil
}

// delegationsToSee reads the delegations of the namespace that was named, else of all. Who may not see them, or whose server is older, has none.
func (e *env) delegationsToSee(ctx context.Context, c client.Client) []v1alpha1.ChangeDelegation {
	var all v1alpha1.ChangeDelegationList
	if err := c.List(ctx, &all, client.InNamespace(e.config.overrides.Context.Namespace)); err != nil {
		return nil
	}
	return all.Items
}

// saidBy reports whether a person has approved or rejected a window.
func saidBy(all []v1alpha1.ChangeApproval, w *v1alpha1.ChangeWindow, who *v1alpha1.Stamp) bool {
	return slices.ContainsFunc(all, func(a v1alpha1.ChangeApproval) bool {
		return a.Namespace == w.Namespace && a.Spec.Window != nil && a.Spec.Window.UID == string(w.UID) && a.Spec.Approver != nil && change.SamePerson(a.Spec.Approver, who)
	})
}

// mayApprove asks the API server whether the user may approve a window of a namespace, or any of them where no name is given.
func mayApprove(ctx context.Context, c client.Client, namespace, window string) (bool, error) {
	r := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
		Namespace: namespace, Verb: "approve", Group: v1alpha1.GroupName, Resource: "changewindows", Name: window,
	}}}
	if err := c.Create(ctx, r); err != nil {
		return false, fmt.Errorf("ask whether you may approve in namespace %q: %w", namespace, err)
	}
	return r.Status.Allowed, nil
}

// approveAll shows each window that waits for the user and asks about it. What is not approved is left, and said.
func (e *env) approveAll(ctx context.Context, o *wordOptions) error {
	c, _, err := e.client()
	if err != nil {
		return err
	}
	all, err := e.waiting(ctx, c)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		_, err := fmt.Fprintf(e.Out, "Nothing waits for you in %s.\n", e.scopeOf())
		return err
	}
	left := 0
	for i := range all {
		if i > 0 {
			fmt.Fprintln(e.Out)
		}
		if err := e.wordOn(ctx, c, all[i].Namespace, all[i].Name, v1alpha1.DecisionApprove, o); err != nil {
			left++
			fmt.Fprintf(e.ErrOut, "%s/%s is not approved: %v\n", all[i].Namespace, all[i].Name, err)
		}
	}
	if left > 0 {
		return fmt.Errorf("not approved: %d of %d", left, len(all))
	}
	return nil
}
