package cli

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// matches says of each object of some manifests whether it is what a window pins, field by field. It returns an error if one is not, or if
// the manifests hold nothing that the window pins.
func (e *env) matches(ctx context.Context, c client.Client, w *v1alpha1.ChangeWindow, files []string) error {
	docs, err := readAll(files, e.In)
	if err != nil {
		return err
	}
	compared, differ := 0, 0
	for _, d := range docs {
		if d.Err != nil {
			return fmt.Errorf("%s, document %d: %w", d.File, d.Index, d.Err)
		}
		gk := d.Object.GroupVersionKind().GroupKind()
		own := change.PinsSpec(gk.Group, gk.Kind)
		if !own && !workload.HasTemplate(gk) {
			continue
		}
		entry := entryFor(w.Spec.Plan, gk, d.Object.GetName())
		if entry == nil {
			fmt.Fprintf(e.Out, "%s %s: the window pins nothing of that name\n", gk.Kind, d.Object.GetName())
			differ++
			continue
		}
		var p *change.Plan
		if own {
			p, err = specPlan(d.Object)
		} else {
			p, err = e.planOf(ctx, c, w.Namespace, d.Object, docs)
		}
		if err != nil {
			return err
		}
		differences := change.Differences(entry, p)
		compared++
		if len(differences) == 0 {
			fmt.Fprintf(e.Out, "%s %s: is what the window pins, in all %d fields\n", gk.Kind, d.Object.GetName(), len(entry.Fields))
			continue
		}
		differ++
		fmt.Fprintf(e.Out, "%s %s: is not what the window pins\n", gk.Kind, d.Object.GetName())
		for _, d := range differences {
			fmt.Fprintf(e.Out, "  %s\n", plain(d.String()))
		}
	}
	switch {
	case differ > 0:
		return errors.New("the manifest is not what the window pins, so nothing is approved")
	case compared == 0:
		return errors.New("the manifest holds nothing that the window pins, so nothing is approved")
	}
	return nil
}

// entryFor returns the entry of a plan for an object; nil: there is none.
func entryFor(p *v1alpha1.Plan, gk schema.GroupKind, name string) *v1alpha1.PlannedWorkload {
	if p == nil {
		return nil
	}
	for i := range p.Workloads {
		if e := &p.Workloads[i]; e.Group == gk.Group && e.Kind == gk.Kind && estate.MatchAny(e.Names, name) {
			return e
		}
	}
	return nil
}
