package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

type requestOptions struct {
	files         []string
	resources     []string
	name          string
	environment   string
	reason        string
	ticket        string
	rollback      string
	when          when
	startBefore   time.Duration
	operations    []string
	clusters      []string
	users, groups []string
	accounts      []string
	digest        string
	// images may run in the place of those of the manifests, by repository.
	images []string
	// namespaces are those that one window opens; it then lies in home, Firebreak's own.
	namespaces []string
	home       string
	print      bool
	// noRollback leaves the way back out of the plan; it may be used for within after the window has closed.
	noRollback bool
	within     time.Duration
}

func (e *env) request() *cobra.Command {
	var o requestOptions
	cmd := &cobra.Command{
		Use:   "request (-f MANIFEST | --resource KIND/NAME) [--environment NAME] [--start TIME | --cron CRON] [--duration 1h] [--reason WHY]",
		Short: "Request a change window for what a manifest would do",
		Long: `Requests a change window for what a manifest would do. The window pins what may run: images (by digest), commands,
environment, volumes, and the content of the ConfigMaps that are used. You type the environment, and so confirm where
this will happen. Each object may be used once. Custom resources that run something, ConfigMaps, namespaces, nodes, roles and
bindings are pinned too. With --operation Update the window also pins what is stored now, as the way back. What runs nothing
new (a deletion, scaling, a session) is requested by kind and name.`,
		Example: `  kubectl firebreak request -f reindex.yaml -n payments
  kubectl firebreak request -f reindex.yaml -n payments --environment production \
    --start now --duration 1h --reason "Rebuild the orders index" --ticket CHG-20417
  kubectl firebreak request --resource 'Pod/web-*' --operation Exec -n payments --environment production \
    --start now --duration 30m --reason "INC-7: look at the cache"
  kubectl firebreak request -f nightly.yaml -n payments --environment production \
    --cron '0 2 * * 6' --time-zone Europe/London --duration 2h --valid-until +4000h --reason "Weekly index check"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runRequest(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.StringArrayVarP(&o.files, "filename", "f", nil, "manifest of what shall run or change (repeatable)")
	f.StringArrayVar(&o.resources, "resource", nil, "kind and name (a glob) of what it is for, such as Pod/web-* or Deployment.apps/web (repeatable)")
	f.StringVar(&o.name, "name", "", "name of the window; default: that of the first object and the time")
	f.StringVar(&o.environment, "environment", "", "environment in which this shall happen; asked for unless given, since it confirms the target")
	f.StringVar(&o.reason, "reason", "", "what it is for, which the approver reads; asked for unless given")
	f.StringVar(&o.ticket, "ticket", "", "number of the change in another system")
	f.StringVar(&o.rollback, "rollback", "", "how the change is undone, in words")
	f.BoolVar(&o.noRollback, "no-rollback", false, "do not let what is stored now be put back under the window")
	f.DurationVar(&o.within, "rollback-within", time.Hour, "how long after the window has closed what is stored now may be put back")
	f.DurationVar(&o.startBefore, "start-before", 0, "executions may start only within this time from the opening")
	f.StringSliceVar(&o.operations, "operation", []string{"Create"}, "what may happen to the objects: Create, Update, Delete, …")
	f.StringSliceVar(&o.clusters, "for-cluster", nil, "names of the clusters that honour the window; default: all")
	f.StringSliceVar(&o.namespaces, "for-namespace", nil, "namespaces that one window opens, each object once in each; the window lies in Firebreak's own namespace and names its clusters")
	f.StringVar(&o.home, "firebreak-namespace", "firebreak-system", "with --for-namespace: namespace that Firebreak runs in")
	f.StringSliceVar(&o.users, "for-user", nil, "users who may use it; default: you")
	f.StringSliceVar(&o.groups, "for-group", nil, "groups whose users may use it")
	f.StringSliceVar(&o.accounts, "for-service-account", nil, "service accounts that may use it, as namespace/name")
	f.StringVar(&o.digest, "digest", "", "with one --resource: digest of the spec that it is to have, as a denial or a condition gives it")
	f.StringArrayVar(&o.images, "or-image", nil, "image, by digest, that may run in the place of the one of the same repository in the manifests (repeatable)")
	f.BoolVar(&o.print, "print", false, "print the window instead of requesting it")
	cmd.MarkFlagsOneRequired("filename", "resource")
	o.when.flags(cmd)
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
	if o.environment, err = e.answer("Environment in which this shall happen", "--environment", o.environment); err != nil {
		return err
	}
	if o.reason, err = e.answer("Reason, which the approver reads", "--reason", o.reason); err != nil {
		return err
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
	fmt.Fprintln(e.Out, describe(&w.Spec.Schedule, e.clock()))
	if lapse := (&screen{e, c, w}).lapse(ctx); lapse != "" {
		fmt.Fprintln(e.Out, strings.ToUpper(lapse[:1])+lapse[1:]+".")
	}
	for _, l := range (&screen{e, c, w}).frozen(ctx) {
		fmt.Fprintln(e.Out, strings.ToUpper(l[:1])+l[1:]+".")
	}
	fmt.Fprintf(e.Out, "Somebody else approves it with:\n\n  kubectl firebreak approve %s -n %s\n", w.Name, w.Namespace)
	return nil
}

func (e *env) window(ctx context.Context, c client.Client, ns string, docs []document, o *requestOptions) (*v1alpha1.ChangeWindow, error) {
	w := &v1alpha1.ChangeWindow{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.KindChangeWindow},
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: o.name},
		Spec: v1alpha1.ChangeWindowSpec{
			Environment: o.environment, Reason: o.reason, Ticket: o.ticket, Rollback: o.rollback,
			Scope: v1alpha1.Scope{Clusters: o.clusters},
		},
	}
	if o.within < 0 {
		return nil, errors.New("--rollback-within is a time from 0 on")
	}
	if len(o.namespaces) > 0 {
		if len(o.clusters) == 0 {
			return nil, errors.New("--for-namespace needs --for-cluster: a window in Firebreak's own namespace names its clusters")
		}
		w.Namespace, w.Spec.Scope.Namespaces = o.home, o.namespaces
	}
	suffix, err := o.when.set(&w.Spec, e)
	if err != nil {
		return nil, err
	}
	if o.startBefore > 0 {
		w.Spec.StartBefore = &metav1.Duration{Duration: o.startBefore}
	}
	for _, op := range o.operations {
		if !slices.Contains(v1alpha1.Operations(), v1alpha1.Operation(op)) {
			return nil, fmt.Errorf("--operation %s: there are %v", op, v1alpha1.Operations())
		}
		w.Spec.Scope.Operations = append(w.Spec.Scope.Operations, v1alpha1.Operation(op))
	}
	w.Spec.Subjects = subjects(o)
	if err := e.planned(ctx, c, w, docs, o); err != nil {
		return nil, err
	}
	if w.Name == "" {
		w.Name = fmt.Sprintf("%s-%s", strings.TrimSuffix(firstName(w), "-"), suffix)
	}
	return w, nil
}

// planned fills in the scope of a window and its plan, from resources and manifests.
func (e *env) planned(ctx context.Context, c client.Client, w *v1alpha1.ChangeWindow, docs []document, o *requestOptions) error {
	if err := scoped(w, o.resources); err != nil {
		return err
	}
	p := planner{env: e, c: c, w: w, docs: docs, each: o.when.each(), noRollback: o.noRollback}
	switch {
	case o.digest != "" && len(o.resources) != 1:
		return errors.New("--digest is for exactly one --resource")
	case o.digest != "":
		w.Spec.Scope.Resources[0].Executions = p.each
		p.add(v1alpha1.PlannedWorkload{ScopedResource: w.Spec.Scope.Resources[0], Digest: o.digest})
	case counted(w.Spec.Scope.Operations):
		for i := range w.Spec.Scope.Resources {
			w.Spec.Scope.Resources[i].Executions = p.each
		}
	}
	for _, d := range docs {
		if err := p.include(ctx, d.Object); err != nil {
			return err
		}
	}
	if err := cmp.Or(orImages(&p.plan, o.images), identify(ctx, c, w, w.Namespace == o.home && len(o.namespaces) == 0)); err != nil {
		return err
	}
	if len(w.Spec.Scope.Resources) == 0 {
		return errors.New("the manifest holds nothing that a window could be for")
	}
	if len(p.plan.Workloads) > 0 {
		w.Spec.Plan = &p.plan
	}
	if p.goesBack && o.within > 0 {
		w.Spec.RollbackWithin = &metav1.Duration{Duration: o.within}
	}
	return nil
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
	for _, a := range o.accounts {
		s.ServiceAccounts = append(s.ServiceAccounts, v1alpha1.ServiceAccountGlob(a))
	}
	return s
}
