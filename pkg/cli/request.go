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
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

type requestOptions struct {
	files         []string
	resources     []string
	name          string
	environment   string
	reason        string
	ticket        string
	rollback      string
	start         string
	duration      time.Duration
	startBefore   time.Duration
	maxExecutions int32
	operations    []string
	clusters      []string
	users, groups []string
	print         bool
}

func (e *env) request() *cobra.Command {
	var o requestOptions
	cmd := &cobra.Command{
		Use:   "request (-f MANIFEST | --resource KIND/NAME) --environment NAME --start TIME --duration 1h --reason WHY",
		Short: "Request a change window for what a manifest would do",
		Long: `Requests a change window for what a manifest would do. The window pins what may run: images (by digest), commands,
environment, volumes, and the content of the ConfigMaps that are used. You type the environment, so that it is you who
confirms where this will happen. What runs nothing new (a deletion, scaling, a session) is requested by kind and name.`,
		Example: `  kubectl firebreak request -f reindex.yaml -n payments --environment production \
    --start now --duration 1h --reason "Rebuild the orders index" --ticket CHG-20417
  kubectl firebreak request --resource 'Pod/web-*' --operation Exec -n payments --environment production \
    --start now --duration 30m --reason "INC-7: look at the cache"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runRequest(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.StringArrayVarP(&o.files, "filename", "f", nil, "manifest of what shall run or change (repeatable)")
	f.StringArrayVar(&o.resources, "resource", nil, "kind and name (a glob) of what it is for, such as Pod/web-* or Deployment.apps/web (repeatable)")
	f.StringVar(&o.name, "name", "", "name of the window; default: that of the first object and the time")
	f.StringVar(&o.environment, "environment", "", "environment in which this shall happen; typed by you, since it confirms the target")
	f.StringVar(&o.reason, "reason", "", "what for; the approver reads it")
	f.StringVar(&o.ticket, "ticket", "", "record of the change elsewhere")
	f.StringVar(&o.rollback, "rollback", "", "how it is undone")
	f.StringVar(&o.start, "start", "", "when the window opens: RFC 3339, now, or +DURATION from now")
	f.DurationVar(&o.duration, "duration", time.Hour, "how long it stays open")
	f.DurationVar(&o.startBefore, "start-before", 0, "executions may start only within this time from the opening")
	f.Int32Var(&o.maxExecutions, "max-executions", 1, "how often it may be used")
	f.StringSliceVar(&o.operations, "operation", []string{"Create"}, "what may happen to the objects: Create, Update, Delete, …")
	f.StringSliceVar(&o.clusters, "for-cluster", nil, "names of the clusters that honour the window; default: all")
	f.StringSliceVar(&o.users, "for-user", nil, "users who may use it; default: you")
	f.StringSliceVar(&o.groups, "for-group", nil, "groups whose users may use it")
	f.BoolVar(&o.print, "print", false, "print the window instead of requesting it")
	for _, required := range []string{"environment", "reason", "start"} {
		_ = cmd.MarkFlagRequired(required)
	}
	cmd.MarkFlagsOneRequired("filename", "resource")
	return cmd
}

func (e *env) runRequest(ctx context.Context, o *requestOptions) error {
	docs, err := readAll(o.files, e.In)
	if err != nil {
		return err
	}
	for _, d := range docs {
		if d.Err != nil {
			return fmt.Errorf("%s, document %d: %w", d.File, d.Index, d.Err)
		}
	}
	c, ns, err := e.client()
	if err != nil {
		return err
	}
	w, err := e.window(ctx, c, ns, docs, o)
	if err != nil {
		return err
	}
	if o.print {
		raw, err := yaml.Marshal(w)
		if err != nil {
			return fmt.Errorf("encode the window: %w", err)
		}
		_, err = e.Out.Write(raw)
		return err
	}
	if err := c.Create(ctx, w); err != nil {
		return fmt.Errorf("request the window: %w", err)
	}
	fmt.Fprintf(e.Out, "changewindow.firebreak.dev/%s requested in namespace %s\n", w.Name, w.Namespace)
	fmt.Fprintf(e.Out, "It opens at %s and closes at %s.\n", change.Instant(w.Spec.Schedule.Start.Time), change.Instant(w.Spec.Schedule.End.Time))
	fmt.Fprintf(e.Out, "Somebody else approves it with:\n\n  kubectl firebreak approve %s -n %s\n", w.Name, w.Namespace)
	return nil
}

func (e *env) window(ctx context.Context, c client.Client, ns string, docs []document, o *requestOptions) (*v1alpha1.ChangeWindow, error) {
	start, err := e.instant(o.start)
	if err != nil {
		return nil, err
	}
	w := &v1alpha1.ChangeWindow{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.KindChangeWindow},
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: o.name},
		Spec: v1alpha1.ChangeWindowSpec{
			Type: v1alpha1.WindowNormal, Environment: o.environment, Reason: o.reason, Ticket: o.ticket, Rollback: o.rollback,
			MaxExecutions: &o.maxExecutions,
			Scope:         v1alpha1.Scope{Clusters: o.clusters},
		},
	}
	from, to := metav1.NewTime(start), metav1.NewTime(start.Add(o.duration))
	w.Spec.Schedule.Start, w.Spec.Schedule.End = &from, &to
	if o.startBefore > 0 {
		w.Spec.StartBefore = &metav1.Duration{Duration: o.startBefore}
	}
	for _, op := range o.operations {
		w.Spec.Scope.Operations = append(w.Spec.Scope.Operations, v1alpha1.Operation(op))
	}
	w.Spec.Subjects = subjects(o)
	if err := scoped(w, o.resources); err != nil {
		return nil, err
	}
	var plan v1alpha1.Plan
	for _, d := range docs {
		if err := e.include(ctx, c, w, &plan, d.Object, docs); err != nil {
			return nil, err
		}
	}
	if len(w.Spec.Scope.Resources) == 0 {
		return nil, errors.New("the manifest holds nothing that a window could be for")
	}
	if len(plan.Workloads) > 0 {
		w.Spec.Plan = &plan
	}
	if w.Name == "" {
		w.Name = fmt.Sprintf("%s-%s", strings.TrimSuffix(firstName(w), "-"), start.UTC().Format("20060102-150405"))
	}
	return w, nil
}

func firstName(w *v1alpha1.ChangeWindow) string {
	return strings.Trim(strings.ReplaceAll(string(w.Spec.Scope.Resources[0].Names[0]), "*", ""), "-.")
}

func subjects(o *requestOptions) v1alpha1.Subjects {
	var s v1alpha1.Subjects
	for _, u := range o.users {
		s.Users = append(s.Users, v1alpha1.Glob(u))
	}
	for _, g := range o.groups {
		s.Groups = append(s.Groups, v1alpha1.Glob(g))
	}
	return s
}

// instant reads RFC 3339, now, and +DURATION.
func (e *env) instant(s string) (time.Time, error) {
	now := e.clock().UTC().Truncate(time.Second)
	if s == "now" {
		return now, nil
	}
	if d, ok := strings.CutPrefix(s, "+"); ok {
		after, err := time.ParseDuration(d)
		if err != nil {
			return time.Time{}, fmt.Errorf("--start: %w", err)
		}
		return now.Add(after), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("--start: %w; give RFC 3339, now, or +DURATION", err)
	}
	return t, nil
}
