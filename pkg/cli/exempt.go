package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

type exemptOptions struct {
	rules, objects, namespaces []string
	users, groups, accounts    []string
	out                        string
	lasts                      time.Duration
	ask                        requestOptions
}

func (e *env) exempt() *cobra.Command {
	var o exemptOptions
	cmd := &cobra.Command{
		Use:   "exempt NAME --rule RULE --object KIND/NAME [--for-group GROUP] --for 24h --reason WHY --out FILE",
		Short: "Write an Exemption, and request the window that creating it needs",
		Long: `Writes an Exemption to a file, by which rules only observe what somebody does to objects until it expires, and requests the window that creating it needs: an
exemption weakens the boundary, so it lies in Firebreak's own namespace and somebody else approves it. Once it is approved, kubectl create -f FILE creates the
exemption as it was approved. BoundaryTampering cannot be exempted from.`,
		Example: `  kubectl firebreak exempt old-report --rule DataStoreAcrossTiers --object Deployment.apps/report --in-namespace dev \
    --for-group analysts --for 72h --environment production --for-cluster prod-eu-1 --reason "until the replica is there" --out exemption.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return e.runExempt(cmd.Context(), args[0], &o) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.rules, "rule", nil, "rule that only observes (repeatable, required)")
	f.StringArrayVar(&o.objects, "object", nil, "kind and name (a glob) of the objects, such as Deployment.apps/web-*; one kind (required)")
	f.StringSliceVar(&o.namespaces, "in-namespace", nil, "namespaces of the objects, as globs; none for objects without a namespace")
	f.StringSliceVar(&o.users, "for-user", nil, "users that it is for")
	f.StringSliceVar(&o.groups, "for-group", nil, "groups that it is for")
	f.StringSliceVar(&o.accounts, "for-service-account", nil, "service accounts that it is for, as namespace/name")
	f.DurationVar(&o.lasts, "for", 0, "how long it holds (required)")
	f.StringVar(&o.out, "out", "", "file to write the Exemption to (required)")
	f.StringVar(&o.ask.environment, "environment", "", "environment whose rules are suspended; asked for unless given, since it confirms the target")
	f.StringVar(&o.ask.reason, "reason", "", "what it is for, which the approver reads; asked for unless given")
	f.StringVar(&o.ask.ticket, "ticket", "", "number of the change in another system")
	f.StringSliceVar(&o.ask.clusters, "for-cluster", nil, "names of the clusters that honour the window (required)")
	f.StringVar(&o.ask.home, "firebreak-namespace", "firebreak-system", "namespace that Firebreak runs in")
	f.BoolVar(&o.ask.print, "print", false, "print the window instead of requesting it")
	o.ask.when.flags(cmd)
	for _, required := range []string{"rule", "object", "for", "out", "for-cluster"} {
		_ = cmd.MarkFlagRequired(required) // the flag was registered above
	}
	return cmd
}

func (e *env) runExempt(ctx context.Context, name string, o *exemptOptions) (err error) {
	if o.ask.environment, err = e.answer("Environment whose rules are suspended", "--environment", o.ask.environment); err != nil {
		return err
	}
	if o.ask.reason, err = e.answer("Reason, which the approver reads", "--reason", o.ask.reason); err != nil {
		return err
	}
	x, err := o.exemption(name, e.clock())
	if err != nil {
		return err
	}
	raw, err := yaml.Marshal(x)
	if err != nil {
		return fmt.Errorf("encode the exemption: %w", err)
	}
	f, err := os.OpenFile(o.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the exemption: %w", err)
	}
	if _, err = f.Write(raw); err != nil {
		return errors.Join(fmt.Errorf("write the exemption: %w", err), f.Close())
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write the exemption: %w", err)
	}
	o.ask.files, o.ask.operations, o.ask.within = []string{o.out}, []string{string(v1alpha1.OperationCreate)}, time.Hour
	e.config.overrides.Context.Namespace = o.ask.home
	if err := e.runRequest(ctx, &o.ask); err != nil {
		return errors.Join(err, os.Remove(o.out))
	}
	fmt.Fprintf(e.ErrOut, "Once the window is approved: kubectl create -f %s\n", o.out)
	return nil
}

// exemption makes the Exemption that the options describe.
func (o *exemptOptions) exemption(name string, now time.Time) (*v1alpha1.Exemption, error) {
	x := &v1alpha1.Exemption{TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GVK("").GroupVersion().String(), Kind: v1alpha1.KindExemption}, ObjectMeta: metav1.ObjectMeta{Name: name}}
	x.Spec.Reason, x.Spec.Ticket = o.ask.reason, o.ask.ticket
	for _, r := range o.rules {
		if !slices.Contains(v1alpha1.RuleNames(), v1alpha1.RuleName(r)) {
			return nil, fmt.Errorf("--rule %s: there is no such rule; there are %s", r, joinRules(v1alpha1.RuleNames()))
		}
		x.Spec.Rules = append(x.Spec.Rules, v1alpha1.RuleName(r))
	}
	if o.lasts <= 0 {
		return nil, errors.New("--for says for how long the exemption holds, such as 24h")
	}
	x.Spec.ExpiresAt = metav1.NewTime(now.Add(o.lasts).Truncate(time.Second))
	var kind schema.GroupKind
	for _, text := range o.objects {
		named, object, ok := strings.Cut(text, "/")
		gk := schema.ParseGroupKind(named)
		if !ok || object == "" || gk.Kind == "" {
			return nil, fmt.Errorf("--object %q is not a kind and a name, such as Deployment.apps/web", text)
		}
		if kind.Kind != "" && kind != gk {
			return nil, fmt.Errorf("--object names %s and %s; an exemption is for one kind", kind, gk)
		}
		kind = gk
		x.Spec.Objects.Names = append(x.Spec.Objects.Names, v1alpha1.Glob(object))
	}
	x.Spec.Objects.Group, x.Spec.Objects.Kind = kind.Group, kind.Kind
	for _, n := range o.namespaces {
		x.Spec.Objects.Namespaces = append(x.Spec.Objects.Namespaces, v1alpha1.Glob(n))
	}
	if len(o.users)+len(o.groups)+len(o.accounts) == 0 {
		return nil, errors.New("say for whom it is: --for-user, --for-group or --for-service-account")
	}
	for _, u := range o.users {
		x.Spec.Subjects.Users = append(x.Spec.Subjects.Users, v1alpha1.Glob(u))
	}
	for _, g := range o.groups {
		x.Spec.Subjects.Groups = append(x.Spec.Subjects.Groups, v1alpha1.Glob(g))
	}
	for _, a := range o.accounts {
		x.Spec.Subjects.ServiceAccounts = append(x.Spec.Subjects.ServiceAccounts, v1alpha1.ServiceAccountGlob(a))
	}
	return x, nil
}

func joinRules(rules []v1alpha1.RuleName) string {
	out := make([]string, len(rules))
	for i, r := range rules {
		out[i] = string(r)
	}
	return strings.Join(out, ", ")
}
