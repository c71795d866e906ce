package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

type delegateOptions struct {
	to, comment string
	length      time.Duration
	namespaces  []string
}

func (e *env) delegate() *cobra.Command {
	var o delegateOptions
	cmd := &cobra.Command{
		Use:   "delegate --to USER --for 168h",
		Short: "Let another person approve change windows in your stead for a time",
		Long: `Lets another person approve windows of a namespace in your stead, for 31 days at most. You must hold the right to approve, and
they need none of their own. They approve as ever, and the record names both of you. They cannot approve what either of you requested,
and both of you together are one approver. To end it early, delete it as this command prints.`,
		Example: `  kubectl firebreak delegate --to bob@example.com --for 168h -n payments --comment "I am away until the 12th"`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return e.runDelegate(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.to, "to", "", "username of the person, as the API server knows it")
	f.DurationVar(&o.length, "for", 24*time.Hour, "for how long")
	f.StringArrayVar(&o.namespaces, "for-namespace", nil, "namespace of the windows (repeatable); default: the present one")
	f.StringVar(&o.comment, "comment", "", "for the record")
	return cmd
}

func (e *env) runDelegate(ctx context.Context, o *delegateOptions) error {
	if o.to == "" {
		return errors.New("--to names the person who is to approve in your stead")
	}
	c, ns, err := e.client()
	if err != nil {
		return err
	}
	if len(o.namespaces) == 0 {
		o.namespaces = []string{ns}
	}
	until := metav1.NewTime(e.clock().Add(o.length).UTC().Truncate(time.Second))
	for _, ns := range o.namespaces {
		d := &v1alpha1.ChangeDelegation{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "delegation-", Namespace: ns},
			Spec:       v1alpha1.ChangeDelegationSpec{To: o.to, Until: until, Comment: o.comment},
		}
		if err := c.Create(ctx, d); err != nil {
			return fmt.Errorf("delegate in namespace %q: %w", ns, err)
		}
		fmt.Fprintf(e.Out, "%s may approve change windows of namespace %s in your stead until %s. To end it early:\n\n  kubectl delete changedelegation %s -n %s\n",
			plain(o.to), ns, change.Instant(until.Time), d.Name, ns)
	}
	return nil
}

// delegationTo returns the delegation by which a person may approve windows of a namespace; nil: there is none.
func delegationTo(all []v1alpha1.ChangeDelegation, namespace, username string, at time.Time) *v1alpha1.ChangeDelegation {
	for i := range all {
		d := &all[i]
		probe := &v1alpha1.ChangeApproval{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, CreationTimestamp: metav1.NewTime(at)},
			Spec:       v1alpha1.ChangeApprovalSpec{Approver: &v1alpha1.Stamp{Username: username}, OnBehalfOf: &v1alpha1.LocalReference{Name: d.Name, UID: string(d.UID)}},
		}
		if found, why := change.Delegated(probe, all); why == "" && found.Namespace == namespace {
			return found
		}
	}
	return nil
}

// inStead returns the delegation that a person needs to decide about a window, and says so; nil: they hold the right themselves, or nobody has
// delegated it to them, which the API server then tells them.
func (e *env) inStead(ctx context.Context, c client.Client, w *v1alpha1.ChangeWindow) (*v1alpha1.LocalReference, error) {
	if may, err := mayApprove(ctx, c, w.Namespace, w.Name); err != nil || may {
		return nil, nil //nolint:nilerr // where the question is not answered, the API server decides about the approval all the same
	}
	self, err := whoAmI(ctx, c)
	if err != nil {
		return nil, err
	}
	var all v1alpha1.ChangeDelegationList
	if err := c.List(ctx, &all, client.InNamespace(w.Namespace)); err != nil {
		return nil, nil //nolint:nilerr // who may not see delegations has none to go by, and the API server says so
	}
	d := delegationTo(all.Items, w.Namespace, self.Username, e.clock())
	if d == nil {
		return nil, nil
	}
	fmt.Fprintf(e.ErrOut, "You decide in the stead of %s, who delegated it to you until %s.\n", plain(d.Spec.Delegator.Username), change.Instant(d.Spec.Until.Time))
	return &v1alpha1.LocalReference{Name: d.Name, UID: string(d.UID)}, nil
}
