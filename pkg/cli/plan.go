package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// scoped adds resources, given by kind and name, to the window's scope.
func scoped(w *v1alpha1.ChangeWindow, resources []string) error {
	for _, r := range resources {
		kind, name, ok := strings.Cut(r, "/")
		if !ok || kind == "" || name == "" {
			return fmt.Errorf("--resource %s: give kind and name, such as Pod/web-* or Deployment.apps/web", r)
		}
		gk := schema.ParseGroupKind(kind)
		if workload.HasTemplate(gk) && planned(w.Spec.Scope.Operations) {
			return errors.New("--resource is for what runs nothing new: deletions, scaling, sessions; give the manifest (-f) of what is created or updated, so that the window pins it")
		}
		w.Spec.Scope.Resources = append(w.Spec.Scope.Resources, v1alpha1.ScopedResource{Group: gk.Group, Kind: gk.Kind, Names: []v1alpha1.Glob{v1alpha1.Glob(name)}})
	}
	return nil
}

// planned reports whether a window for these operations pins what runs. A deletion or a session runs nothing from a manifest.
func planned(ops []v1alpha1.Operation) bool {
	return slices.Contains(ops, v1alpha1.OperationCreate) || slices.Contains(ops, v1alpha1.OperationUpdate)
}

// include adds one object to the window's scope and, if it runs something, to its plan.
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
	if change.PinsSpec(gk.Group, gk.Kind) && planned(w.Spec.Scope.Operations) {
		p, err := specPlan(u)
		if err != nil {
			return err
		}
		plan.Workloads = append(plan.Workloads, v1alpha1.PlannedWorkload{ScopedResource: r, Digest: p.Digest, Fields: p.Fields})
		return nil
	}
	if !workload.HasTemplate(gk) || !planned(w.Spec.Scope.Operations) {
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
		// The purpose of a CronJob is its runs.
		jobs := v1alpha1.ScopedResource{Group: gk.Group, Kind: "Job", Names: []v1alpha1.Glob{v1alpha1.Glob(name + "-*")}}
		w.Spec.Scope.Resources = append(w.Spec.Scope.Resources, jobs)
		plan.Workloads = append(plan.Workloads, v1alpha1.PlannedWorkload{ScopedResource: jobs, Digest: p.Digest, Fields: p.Fields})
	}
	return nil
}

func (e *env) planOf(ctx context.Context, c client.Client, ns string, u *unstructured.Unstructured, docs []document) (*change.Plan, error) {
	stored, err := e.dryRun(ctx, c, ns, u)
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
		return nil, fmt.Errorf("an image by tag alone can be another one tomorrow, so a window cannot pin it: %s; name it by digest (image@sha256:…)",
			strings.Join(p.Unpinned, ", "))
	case p.TooMany:
		return nil, fmt.Errorf("%s %q uses more than %d ConfigMaps, which no plan can pin", u.GetKind(), u.GetName(), change.MaxConfigMaps)
	}
	return p, nil
}

// dryRun asks the API server what it would store, so that the changes of other webhooks are pinned too. If the object exists
// already, or the user may not create it, its manifest is used: a plan is the same before and after the API server's defaults.
func (e *env) dryRun(ctx context.Context, c client.Client, ns string, u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	o := u.DeepCopy()
	o.SetNamespace(ns)
	err := c.Create(ctx, o, client.DryRunAll)
	if apierrors.IsAlreadyExists(err) {
		return u, nil
	}
	if apierrors.IsForbidden(err) && !strings.Contains(err.Error(), "denied the request") {
		fmt.Fprintf(e.ErrOut, "You may not create %s %q, so the plan is made of the manifest alone: what other webhooks would change is not in it.\n", u.GetKind(), u.GetName())
		return u, nil
	}
	if err != nil {
		return nil, fmt.Errorf("try %s %q: %w", u.GetKind(), u.GetName(), err)
	}
	return o, nil
}

// configMaps reads the ConfigMaps that the plan pins: from the manifests if they hold them, otherwise from the cluster.
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
