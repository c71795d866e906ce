package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// matches says of each object of some manifests whether it is what a window pins, field by field. It returns the digests of the entries that
// the objects are, and an error if an object differs, or if the manifests hold nothing that the window pins.
func (e *env) matches(ctx context.Context, c client.Client, w *v1alpha1.ChangeWindow, files []string) (compared []string, err error) {
	docs, err := readAll(files, e.In)
	if err != nil {
		return nil, err
	}
	differ := 0
	for _, d := range docs {
		if d.Err != nil {
			return nil, fmt.Errorf("%s, document %d: %w", d.File, d.Index, d.Err)
		}
		gk := d.Object.GroupVersionKind().GroupKind()
		p, err := e.pinOf(ctx, c, cmp.Or(d.Object.GetNamespace(), opened(w)[0]), d.Object, docs)
		if err != nil {
			return nil, err
		}
		if p == nil {
			continue
		}
		name := plain(gk.Kind + " " + d.Object.GetName())
		entry := entryFor(w.Spec.Plan, gk, d.Object.GetName(), p)
		if entry == nil {
			fmt.Fprintf(e.Out, "%s: the window pins nothing of that name\n", name)
			differ++
			continue
		}
		differences := change.Differences(entry, p)
		if others := entriesFor(w.Spec.Plan, gk, d.Object.GetName()); len(others) > 1 {
			fmt.Fprintf(e.Out, "%s: the window pins it in %d ways; this is about one of them\n", name, len(others))
		}
		if len(differences) == 0 {
			compared = append(compared, entry.Digest)
			fmt.Fprintf(e.Out, "%s: is what the window pins, in all %d fields\n", name, len(p.By(entry.Digest).Fields))
			continue
		}
		differ++
		fmt.Fprintf(e.Out, "%s: is not what the window pins\n", name)
		for _, d := range differences {
			fmt.Fprintf(e.Out, "  %s\n", plain(d.String()))
		}
	}
	switch {
	case differ > 0:
		return nil, errors.New("the manifest is not what the window pins, so nothing is approved")
	case len(compared) == 0:
		return nil, errors.New("the manifest holds nothing that the window pins, so nothing is approved")
	}
	return compared, nil
}

// pinOf returns what a window pins of an object of a manifest; nil: nothing.
func (e *env) pinOf(ctx context.Context, c client.Client, ns string, u *unstructured.Unstructured, docs []document) (*change.Plan, error) {
	runs, err := runsSomething(u)
	switch gk := u.GroupVersionKind().GroupKind(); {
	case err != nil:
		return nil, err
	case runs:
		return e.planOf(ctx, c, ns, u, docs)
	default:
		return change.ObjectPlan(gk.Group, gk.Kind, u.Object), nil
	}
}

// entryFor returns the entry of a plan for an object: the one with its digest, else the first one of its name; nil: there is none.
func entryFor(p *v1alpha1.Plan, gk schema.GroupKind, name string, of *change.Plan) *v1alpha1.PlannedWorkload {
	all := entriesFor(p, gk, name)
	for _, e := range all {
		if by := of.By(e.Digest); by != nil && by.Digest == e.Digest {
			return e
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

func entriesFor(p *v1alpha1.Plan, gk schema.GroupKind, name string) []*v1alpha1.PlannedWorkload {
	if p == nil {
		return nil
	}
	var out []*v1alpha1.PlannedWorkload
	for i := range p.Workloads {
		if e := &p.Workloads[i]; e.Group == gk.Group && e.Kind == gk.Kind && estate.MatchAny(e.Names, name) {
			out = append(out, e)
		}
	}
	return out
}
