package cli

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

type emergencyOptions struct {
	environment, reason, ticket string
	duration                    time.Duration
	override                    bool
	resources, kinds            []string
	wait                        bool
}

func (e *env) emergency() *cobra.Command {
	var o emergencyOptions
	cmd := &cobra.Command{
		Use:   "emergency --reason WHY -- COMMAND…",
		Short: "Open an Emergency window for yourself and run a command under it",
		Long: `Opens an Emergency window in the namespace and runs a command. It needs no approval beforehand, but the RBAC verb
breakglass on changewindows; all that is done under it is recorded, and it stays flagged until somebody else approves or
rejects it afterwards. What the schedule of a CronJob starts meanwhile is not covered. Without a command it only opens the window. The exit status is that of the command.`,
		Example: `  kubectl firebreak emergency -n payments --reason "orders are stuck, INC-7" -- kubectl -n payments exec -it orders-0 -- psql`,
		RunE:    func(cmd *cobra.Command, args []string) error { return e.runEmergency(cmd.Context(), args, &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.environment, "environment", "", "environment in which it happens; default: the one that the namespace belongs to")
	f.StringVar(&o.reason, "reason", "", "what is on fire, for whoever looks at it afterwards")
	f.StringVar(&o.ticket, "ticket", "", "number of the incident in another system")
	f.DurationVar(&o.duration, "duration", time.Hour, "how long the window is open")
	f.StringArrayVar(&o.resources, "resource", nil, "kind and name (a glob) of what it is for, such as Deployment.apps/web or Pod/web-*; default: the built-in workloads, and Services, ConfigMaps, Secrets, claims and nodes (repeatable)")
	f.StringArrayVar(&o.kinds, "kind", nil, "kind of what it is for, beside --resource, such as Deployment.apps (repeatable)")
	f.BoolVar(&o.override, "override-freeze", false, "pass a freeze, once somebody has approved the window")
	f.BoolVar(&o.wait, "wait", false, "with --override-freeze: wait for the approval that it takes while a freeze holds, and run the command then")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

func (e *env) runEmergency(ctx context.Context, args []string, o *emergencyOptions) error {
	c, ns, err := e.client()
	if err != nil {
		return err
	}
	if o.environment == "" {
		if o.environment, err = environmentOf(ctx, c, ns); err != nil {
			return err
		}
	}
	if o.wait && !o.override {
		return errors.New("--wait waits for what --override-freeze needs; give both")
	}
	w, err := e.emergencyWindow(ns, o)
	if err != nil {
		return err
	}
	if err := c.Create(ctx, w); err != nil {
		return fmt.Errorf("open the emergency: %w", err)
	}
	end, why := e.trueEnd(ctx, c, w)
	fmt.Fprintf(e.ErrOut, "Emergency window %s is open until %s%s. It stays unreviewed until somebody else looks at it:\n\n  kubectl firebreak approve %s -n %s\n\n",
		w.Name, change.Instant(end), why, w.Name, ns)
	if err := e.passFreeze(ctx, c, w, end, o); err != nil {
		return err
	}
	if len(args) == 0 {
		return nil
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = e.In, e.Out, e.ErrOut
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return ExitError{exit.ExitCode()}
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", args[0], err)
	}
	return nil
}

// emergencyWindow returns a window that lets its requester do anything to the kinds that emergencies mostly concern. It starts ten
// seconds ago, since this machine's clock may be ahead of the API server's.
func (e *env) emergencyWindow(ns string, o *emergencyOptions) (*v1alpha1.ChangeWindow, error) {
	now := e.clock().UTC().Truncate(time.Second)
	start, end := metav1.NewTime(now.Add(-10*time.Second)), metav1.NewTime(now.Add(o.duration))
	resources, err := emergencyScope(o)
	if err != nil {
		return nil, err
	}
	return &v1alpha1.ChangeWindow{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "emergency-", Namespace: ns},
		Spec: v1alpha1.ChangeWindowSpec{
			Type: v1alpha1.WindowEmergency, Environment: o.environment, Reason: o.reason, Ticket: o.ticket, OverridesFreeze: o.override,
			Schedule: v1alpha1.Schedule{Start: &start, End: &end},
			Scope: v1alpha1.Scope{Resources: resources, Operations: []v1alpha1.Operation{
				v1alpha1.OperationCreate, v1alpha1.OperationUpdate, v1alpha1.OperationDelete, v1alpha1.OperationScale, v1alpha1.OperationExec,
				v1alpha1.OperationAttach, v1alpha1.OperationPortForward, v1alpha1.OperationProxy, v1alpha1.OperationDebug,
			}},
		},
	}, nil
}

// emergencyScope returns the objects that an emergency is for: those that are named, or else whatever runs, and what that uses.
func emergencyScope(o *emergencyOptions) ([]v1alpha1.ScopedResource, error) {
	all := []v1alpha1.Glob{"*"}
	var out []v1alpha1.ScopedResource
	for _, kind := range o.kinds {
		gk, err := kindNamed(kind)
		if err != nil {
			return nil, err
		}
		out = append(out, v1alpha1.ScopedResource{Group: gk.Group, Kind: gk.Kind, Names: all})
	}
	for _, r := range o.resources {
		named, err := resourceNamed(r)
		if err != nil {
			return nil, err
		}
		out = append(out, named)
	}
	if len(out) > 0 {
		return out, nil
	}
	for _, k := range workload.Kinds() {
		out = append(out, v1alpha1.ScopedResource{Group: k.Group, Kind: k.Kind, Names: all})
	}
	for _, kind := range []string{"Service", "ConfigMap", "Secret", "PersistentVolumeClaim", "Node"} {
		out = append(out, v1alpha1.ScopedResource{Kind: kind, Names: all})
	}
	return out, nil
}

// environmentOf returns the Production environment that a namespace belongs to.
func environmentOf(ctx context.Context, c client.Client, ns string) (string, error) {
	var all v1alpha1.EnvironmentList
	if err := c.List(ctx, &all); err != nil {
		return "", fmt.Errorf("list environments: %w; or give --environment", err)
	}
	var n corev1.Namespace
	if err := c.Get(ctx, client.ObjectKey{Name: ns}, &n); err != nil {
		return "", fmt.Errorf("look at the namespace: %w; or give --environment", err)
	}
	est := estate.Compile(estate.Input{Environments: all.Items, Namespaces: map[string]map[string]string{ns: n.Labels}})
	if m, _ := est.Namespace(ns); len(m.Production()) > 0 {
		return m.Production()[0].Name, nil
	}
	return "", fmt.Errorf("namespace %q belongs to no Production environment, where no window is needed", ns)
}
