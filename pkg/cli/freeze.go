package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

type freezeOptions struct {
	name       string
	reason     string
	namespaces []string
	start      string
	duration   time.Duration
	two        bool
	everything bool
}

func (e *env) freeze() *cobra.Command {
	var o freezeOptions
	cmd := &cobra.Command{
		Use:     "freeze ENVIRONMENT…",
		Short:   "Stop changes in environments, now or for a time",
		Example: `  kubectl firebreak freeze production --reason "Christmas trading"`,
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return e.runFreeze(cmd.Context(), args, &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.name, "name", "", "name of the freeze; default: freeze- and the environment")
	f.StringVar(&o.reason, "reason", "", "shown to everyone whom it stops")
	f.StringSliceVar(&o.namespaces, "only-namespace", nil, "globs that narrow it to some namespaces")
	f.StringVar(&o.start, "start", "", "when it begins: RFC 3339 or +DURATION; default: now")
	f.DurationVar(&o.duration, "for", 0, "how long it holds; default: until it is lifted")
	f.BoolVar(&o.two, "two-persons", false, "only two persons together lift it")
	f.BoolVar(&o.everything, "everything", false, "the red button: stop autoscalers and operators too, for four hours at most")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

func (e *env) runFreeze(ctx context.Context, environments []string, o *freezeOptions) error {
	c, _, err := e.client()
	if err != nil {
		return err
	}
	f := &v1alpha1.ChangeFreeze{
		ObjectMeta: metav1.ObjectMeta{Name: o.name},
		Spec:       v1alpha1.ChangeFreezeSpec{Environments: environments, Reason: o.reason},
	}
	if f.Name == "" {
		f.Name = "freeze-" + environments[0]
	}
	for _, n := range o.namespaces {
		f.Spec.Namespaces = append(f.Spec.Namespaces, v1alpha1.Glob(n))
	}
	if o.two {
		f.Spec.LiftedBy = v1alpha1.LiftedByTwoPersons
	}
	if o.everything {
		f.Spec.Level = v1alpha1.FreezeEverything
		if o.duration == 0 {
			o.duration = 4*time.Hour - time.Minute // the API server stores it a little later, and it starts then
		}
	}
	if f.Spec.Schedule, err = e.freezeSchedule(o); err != nil {
		return err
	}
	if err := c.Create(ctx, f); err != nil {
		return fmt.Errorf("freeze: %w", err)
	}
	fmt.Fprintf(e.Out, "changefreeze.firebreak.dev/%s: %s\n", f.Name, change.DescribeFreeze(f, e.clock()))
	fmt.Fprintf(e.Out, "A member of the environment lifts it with:\n\n  kubectl firebreak unfreeze %s\n", f.Name)
	return nil
}

func (e *env) freezeSchedule(o *freezeOptions) (*v1alpha1.Schedule, error) {
	if o.start == "" && o.duration == 0 {
		return nil, nil
	}
	s := &v1alpha1.Schedule{}
	from := e.clock().UTC().Truncate(time.Second)
	if o.start != "" {
		t, err := e.instant("--start", o.start)
		if err != nil {
			return nil, err
		}
		from = t
		start := metav1.NewTime(t)
		s.Start = &start
	}
	if o.duration > 0 {
		end := metav1.NewTime(from.Add(o.duration))
		s.End = &end
	}
	return s, nil
}

func (e *env) unfreeze() *cobra.Command {
	home := ""
	cmd := &cobra.Command{
		Use:   "unfreeze FREEZE",
		Short: "Lift a freeze",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, _, err := e.client()
			if err != nil {
				return err
			}
			var f v1alpha1.ChangeFreeze
			if err := c.Get(cmd.Context(), client.ObjectKey{Name: args[0]}, &f); err == nil && f.Spec.LiftedBy == v1alpha1.LiftedByTwoPersons {
				return e.ask(cmd.Context(), c, home, v1alpha1.ChangeApprovalSpec{
					Decision: v1alpha1.DecisionLift, Freeze: &v1alpha1.LocalReference{Name: f.Name, UID: string(f.UID)},
				}, fmt.Sprintf("your word to lift freeze %s is given; it takes two persons", f.Name))
			}
			if err := c.Delete(cmd.Context(), &v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: args[0]}}); err != nil {
				return fmt.Errorf("lift the freeze: %w", err)
			}
			fmt.Fprintf(e.Out, "changefreeze.firebreak.dev/%s lifted\n", args[0])
			return nil
		},
	}
	cmd.Flags().StringVar(&home, "firebreak-namespace", "firebreak-system", "namespace that Firebreak runs in")
	return cmd
}

func (e *env) release() *cobra.Command {
	home := ""
	cmd := &cobra.Command{
		Use:   "release EXECUTION",
		Short: "Give back an execution of a window that was not really used",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, _, err := e.client()
			if err != nil {
				return err
			}
			var x v1alpha1.ChangeExecution
			if err := c.Get(cmd.Context(), client.ObjectKey{Namespace: home, Name: args[0]}, &x); err != nil {
				return fmt.Errorf("look at the execution: %w", err)
			}
			self, err := whoAmI(cmd.Context(), c)
			if err != nil {
				return err
			}
			me := v1alpha1.Stamp{Username: self.Username, UID: self.UID}
			if change.SamePerson(&me, &x.Spec.Requester) || change.SamePerson(&me, x.Spec.Window.RequestedBy) {
				return fmt.Errorf("you used execution %s yourself, or requested its window; another member of the environment who holds the verb approve gives it back", x.Name)
			}
			return e.ask(cmd.Context(), c, home, v1alpha1.ChangeApprovalSpec{
				Decision: v1alpha1.DecisionRelease, Execution: &v1alpha1.LocalReference{Name: x.Name, UID: string(x.UID)},
			}, fmt.Sprintf("your word to give execution %s back is given", x.Name))
		},
	}
	cmd.Flags().StringVar(&home, "firebreak-namespace", "firebreak-system", "namespace that Firebreak runs in")
	return cmd
}

// ask creates an approval in Firebreak's namespace: a Lift of a freeze or a Release of an execution.
func (e *env) ask(ctx context.Context, c client.Client, home string, spec v1alpha1.ChangeApprovalSpec, said string) error {
	a := &v1alpha1.ChangeApproval{ObjectMeta: metav1.ObjectMeta{GenerateName: "word-", Namespace: home}, Spec: spec}
	if err := c.Create(ctx, a); err != nil {
		return fmt.Errorf("give your word: %w", err)
	}
	_, err := fmt.Fprintln(e.Out, said)
	return err
}

func (e *env) seal() *cobra.Command {
	home := ""
	cmd := &cobra.Command{
		Use:   "seal ENVIRONMENT",
		Short: "End the hour in which the boundary may be edited freely",
		Long:  "Ends the hour in which the boundary of an environment may be edited freely. It refuses while nobody could approve a change of the boundary afterwards.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, _, err := e.client()
			if err != nil {
				return err
			}
			if err := e.someoneApproves(cmd.Context(), c, home); err != nil {
				return err
			}
			return e.sealOne(cmd.Context(), c, args[0])
		},
	}
	cmd.Flags().StringVar(&home, "firebreak-namespace", "firebreak-system", "namespace that Firebreak runs in")
	return cmd
}

func (e *env) sealOne(ctx context.Context, c client.Client, name string) error {
	env := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: name}}
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:"true"}}}`, v1alpha1.AnnotationSealed)
	if err := c.Patch(ctx, env, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	fmt.Fprintf(e.Out, "environment.firebreak.dev/%s sealed: weakening the boundary needs an approved window from now on\n", name)
	return nil
}
