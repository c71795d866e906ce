package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

type requestOptions struct {
	files         []string
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
		Use:   "request -f MANIFEST --environment NAME --start TIME --duration 1h --reason WHY",
		Short: "Request a change window for what a manifest would do",
		Long: `Requests a change window for what a manifest would do. The window pins what may run: images (by digest), commands,
environment, volumes, and the content of the ConfigMaps that are used. You type the environment, so that it is you who
confirms where this will happen.`,
		Example: `  kubectl firebreak request -f reindex.yaml -n payments --environment production \
    --start now --duration 1h --reason "Rebuild the orders index" --ticket CHG-20417`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runRequest(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.StringArrayVarP(&o.files, "filename", "f", nil, "manifest of what shall run or change (repeatable)")
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
	for _, required := range []string{"filename", "environment", "reason", "start"} {
		_ = cmd.MarkFlagRequired(required)
	}
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

// include puts one object into the window's scope and, if it runs something, into its plan.
func (e *env) include(ctx context.Context, c client.Client, w *v1alpha1.ChangeWindow, plan *v1alpha1.Plan, u *unstructured.Unstructured, docs []document) error {
	gk := u.GroupVersionKind().GroupKind()
	if gk.Group == v1alpha1.GroupName && gk.Kind == v1alpha1.KindChangeWindow {
		return errors.New("a window is not requested for a window")
	}
	name := u.GetName()
	if name == "" && u.GetGenerateName() != "" {
		name = u.GetGenerateName() + "*"
	}
	r := v1alpha1.ScopedResource{Group: gk.Group, Kind: gk.Kind, Names: []v1alpha1.Glob{v1alpha1.Glob(name)}}
	w.Spec.Scope.Resources = append(w.Spec.Scope.Resources, r)
	if !workload.HasTemplate(gk) {
		return nil
	}
	if ns := u.GetNamespace(); ns != "" && ns != w.Namespace {
		return fmt.Errorf("%s %q lies in namespace %q, and the window opens %q; use -n %s", gk.Kind, name, ns, w.Namespace, ns)
	}
	p, err := e.planOf(ctx, c, w.Namespace, u, docs)
	if err != nil {
		return err
	}
	plan.Workloads = append(plan.Workloads, v1alpha1.PlannedWorkload{ScopedResource: r, Digest: p.Digest, Fields: p.Fields})
	if gk.Kind == "CronJob" {
		// What a CronJob is for are its runs.
		jobs := v1alpha1.ScopedResource{Group: gk.Group, Kind: "Job", Names: []v1alpha1.Glob{v1alpha1.Glob(name + "-*")}}
		w.Spec.Scope.Resources = append(w.Spec.Scope.Resources, jobs)
		plan.Workloads = append(plan.Workloads, v1alpha1.PlannedWorkload{ScopedResource: jobs, Digest: p.Digest, Fields: p.Fields})
	}
	return nil
}

func (e *env) planOf(ctx context.Context, c client.Client, ns string, u *unstructured.Unstructured, docs []document) (*change.Plan, error) {
	stored, err := dryRun(ctx, c, ns, u)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(stored.Object)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	work, err := workload.Of(u.GroupVersionKind().GroupKind(), raw)
	if err != nil {
		return nil, err
	}
	contents, err := configMaps(ctx, c, ns, change.ConfigMapsOf(&work.Template), docs)
	if err != nil {
		return nil, err
	}
	p := change.PlanOf(work, contents)
	switch {
	case len(p.Unpinned) > 0:
		return nil, fmt.Errorf("an image by tag alone can be another one tomorrow, so no window is for it: %s; name it by digest (image@sha256:…)",
			strings.Join(p.Unpinned, ", "))
	case p.TooMany:
		return nil, fmt.Errorf("%s %q uses more than %d ConfigMaps, which no plan can pin", u.GetKind(), u.GetName(), change.MaxConfigMaps)
	}
	return p, nil
}

// dryRun asks the API server what would be stored, so that what other webhooks add is pinned too. An object that is
// there already is taken as the manifest has it.
func dryRun(ctx context.Context, c client.Client, ns string, u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	o := u.DeepCopy()
	o.SetNamespace(ns)
	err := c.Create(ctx, o, client.DryRunAll)
	if apierrors.IsAlreadyExists(err) {
		return u, nil
	}
	if err != nil {
		return nil, fmt.Errorf("try %s %q: %w", u.GetKind(), u.GetName(), err)
	}
	return o, nil
}

// configMaps reads what the plan pins: from the manifest where it is there, else from the cluster.
func configMaps(ctx context.Context, c client.Client, ns string, names []string, docs []document) (change.Contents, error) {
	found := map[string]map[string][]byte{}
	for _, d := range docs {
		if d.Object.GetKind() != "ConfigMap" || !slices.Contains(names, d.Object.GetName()) {
			continue
		}
		var cm corev1.ConfigMap
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(d.Object.Object, &cm); err != nil {
			return nil, fmt.Errorf("read ConfigMap %q: %w", d.Object.GetName(), err)
		}
		found[cm.Name] = change.ConfigMapContent(&cm)
	}
	for _, name := range names {
		if _, ok := found[name]; ok {
			continue
		}
		var cm corev1.ConfigMap
		err := c.Get(ctx, client.ObjectKey{Namespace: ns, Name: name}, &cm)
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return nil, fmt.Errorf("read ConfigMap %q, whose content the plan pins: %w", name, err)
		default:
			found[name] = change.ConfigMapContent(&cm)
		}
	}
	return func(name string) (map[string][]byte, bool) { d, ok := found[name]; return d, ok }, nil
}
