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
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// scoped adds resources, given by kind and name, to the window's scope.
func scoped(w *v1alpha1.ChangeWindow, resources []string) error {
	for _, text := range resources {
		r, err := resourceNamed(text)
		if err != nil {
			return err
		}
		if workload.HasTemplate(schema.GroupKind{Group: r.Group, Kind: r.Kind}) && planned(w.Spec.Scope.Operations) {
			return errors.New("--resource is for what runs nothing new: deletions, scaling, sessions; give the manifest (-f) of what is created or updated, so that the window pins it")
		}
		w.Spec.Scope.Resources = append(w.Spec.Scope.Resources, r)
	}
	return nil
}

// resourceNamed reads a kind and a name, such as Deployment.apps/web.
func resourceNamed(text string) (v1alpha1.ScopedResource, error) {
	kind, name, ok := strings.Cut(text, "/")
	if !ok || kind == "" || name == "" {
		return v1alpha1.ScopedResource{}, fmt.Errorf("--resource %s: give kind and name, such as Pod/web-* or Deployment.apps/web", text)
	}
	gk, err := kindNamed(kind)
	return v1alpha1.ScopedResource{Group: gk.Group, Kind: gk.Kind, Names: []v1alpha1.Glob{v1alpha1.Glob(name)}}, err
}

// kindNamed reads a kind, such as Deployment.apps. Workloads need no group, and may be written as kubectl has them. It refuses what can be no kind: a
// window for it would cover nothing.
func kindNamed(text string) (schema.GroupKind, error) {
	gk := schema.ParseGroupKind(text)
	for _, k := range workload.Kinds() {
		if name := strings.ToLower(k.Kind); gk.Group == "" && k.Group != "" && slices.Contains([]string{name, name + "s"}, strings.ToLower(gk.Kind)) {
			return k.GroupKind, nil
		}
	}
	if gk.Kind == "" || strings.ToUpper(gk.Kind[:1]) != gk.Kind[:1] {
		return gk, fmt.Errorf("%q is not the name of a kind; write it as in a manifest, with its group, such as Deployment.apps or Pod", text)
	}
	return gk, nil
}

// planned reports whether a window for these operations pins what runs. A deletion or a session runs nothing from a manifest.
func planned(ops []v1alpha1.Operation) bool {
	return slices.Contains(ops, v1alpha1.OperationCreate) || slices.Contains(ops, v1alpha1.OperationUpdate)
}

// counted reports whether uses for these operations are counted for each object: sessions are not, since they are bounded by time.
func counted(ops []v1alpha1.Operation) bool { return !slices.ContainsFunc(ops, change.IsSession) }

// runsSomething reports whether an object runs Pods, by a template of its own or as a custom resource.
func runsSomething(u *unstructured.Unstructured) (bool, error) {
	gk := u.GroupVersionKind().GroupKind()
	if workload.HasTemplate(gk) {
		return true, nil
	}
	raw, err := json.Marshal(u.Object)
	if err != nil {
		return false, fmt.Errorf("encode %s %q: %w", u.GetKind(), u.GetName(), err)
	}
	_, runs, err := policy.Custom(gk, raw)
	if err != nil {
		return false, fmt.Errorf("read %s %q: %w", u.GetKind(), u.GetName(), err)
	}
	return runs, nil
}

// planOf returns the plan of what a manifest runs, with what the API server and other webhooks would fill in.
func (e *env) planOf(ctx context.Context, c client.Client, ns string, u *unstructured.Unstructured, docs []document) (*change.Plan, error) {
	stored, err := e.dryRun(ctx, c, ns, u)
	if err != nil {
		return nil, err
	}
	p, err := planFrom(ctx, c, ns, stored, docs)
	switch {
	case err != nil:
		return nil, err
	case len(p.Unpinned) > 0:
		return nil, fmt.Errorf("an image by tag alone can be another one tomorrow, so a window cannot pin it: %s; name it by digest (image@sha256:…)",
			strings.Join(p.Unpinned, ", "))
	case p.TooMany:
		return nil, fmt.Errorf("%s %q uses more than %d ConfigMaps, which no plan can pin", u.GetKind(), u.GetName(), change.MaxConfigMaps)
	}
	return p, nil
}

// planFrom returns the plan of an object: of what it runs, or else of what it says. It is nil if windows pin nothing of its kind.
func planFrom(ctx context.Context, c client.Client, ns string, u *unstructured.Unstructured, docs []document) (*change.Plan, error) {
	gk := u.GroupVersionKind().GroupKind()
	raw, err := json.Marshal(u.Object)
	if err != nil {
		return nil, fmt.Errorf("encode %s %q: %w", u.GetKind(), u.GetName(), err)
	}
	work, err := workload.Of(gk, raw)
	if err != nil {
		return nil, err
	}
	templates, runs, err := policy.Custom(gk, raw)
	if err != nil {
		return nil, fmt.Errorf("read %s %q: %w", u.GetKind(), u.GetName(), err)
	}
	switch {
	case work != nil:
		templates = []*workload.Template{&work.Template}
	case !runs:
		return change.ObjectPlan(gk.Group, gk.Kind, u.Object), nil
	}
	contents, err := configMaps(ctx, c, ns, change.ConfigMapsOf(templates...), docs)
	if err != nil {
		return nil, err
	}
	if work != nil {
		return change.PlanOf(work, contents), nil
	}
	return change.CustomPlan(u.Object, templates, contents), nil
}

// dryRun asks the API server what it would store, so that the changes of other webhooks are pinned too. If the object exists
// already, or the user may not create it, its manifest is used: a plan is the same before and after the API server's defaults.
func (e *env) dryRun(ctx context.Context, c client.Client, ns string, u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	o := u.DeepCopy()
	o.SetNamespace(ns)
	err := c.Create(ctx, o, client.DryRunAll)
	if apierrors.IsAlreadyExists(err) {
		return e.dryUpdate(ctx, c, ns, u), nil
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

// dryUpdate asks the API server what it would store in the place of a custom resource that exists, whose defaults nobody else knows. If it does
// not say, the manifest is used.
func (e *env) dryUpdate(ctx context.Context, c client.Client, ns string, u *unstructured.Unstructured) *unstructured.Unstructured {
	if workload.HasTemplate(u.GroupVersionKind().GroupKind()) {
		return u
	}
	o, now := u.DeepCopy(), &unstructured.Unstructured{}
	o.SetNamespace(ns)
	now.SetGroupVersionKind(u.GroupVersionKind())
	if c.Get(ctx, client.ObjectKeyFromObject(o), now) != nil {
		return u
	}
	o.SetResourceVersion(now.GetResourceVersion())
	if err := c.Update(ctx, o, client.DryRunAll); err != nil {
		fmt.Fprintf(e.ErrOut, "What would be stored of %s %q is not known (%v), so the plan is made of the manifest alone.\n", u.GetKind(), u.GetName(), err)
		return u
	}
	return o
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
