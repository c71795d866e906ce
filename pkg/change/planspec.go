package change

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// SpecPlan returns the plan of an object of one of Firebreak's own kinds: each field of its spec, as the API server stores it.
func SpecPlan(kind string, spec map[string]any) *Plan {
	spec = Asked(spec)
	b := builder{version: PlanVersion, fields: map[string]v1alpha1.PlannedField{}}
	if spec == nil {
		spec = map[string]any{}
	}
	whole, err := defaulted(kind, spec)
	if err != nil {
		whole = spec // no such kind
	}
	for key, value := range whole {
		below, ok := value.(map[string]any)
		if !ok {
			b.setting("spec."+key, value)
		}
		for name, item := range below {
			b.setting("spec."+key+"."+name, item)
		}
	}
	p := b.plan()
	p.V1 = &Plan{Digest: SpecDigest(spec)}
	return p
}

// setting adds one setting of a spec, unless it says nothing: omitted and empty settings mean the same.
func (b *builder) setting(path string, value any) {
	if value = pruned(value); value != nil {
		b.say(path, value)
	}
}

// pruned returns a value without the empty objects and lists in it; nil: nothing is left.
func pruned(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			if item = pruned(item); item != nil {
				out[k] = item
			}
		}
		if len(out) > 0 {
			return out
		}
		return nil
	case []any:
		if len(v) == 0 {
			return nil
		}
	}
	return value
}

// PinsSpec reports whether a window for a kind pins the spec that its objects are to have.
func PinsSpec(group, kind string) bool {
	return group == v1alpha1.GroupName && slices.Contains([]string{v1alpha1.KindEnvironment, v1alpha1.KindDataStore, v1alpha1.KindExemption}, kind)
}

// WithoutSpec returns the resources in a window's scope that the window must pin but does not: those of Firebreak's own kinds that it lets be
// created or updated, and in a window for the boundary, those of each kind that the boundary rests on.
func WithoutSpec(w *v1alpha1.ChangeWindowSpec, boundary bool) []v1alpha1.ScopedResource {
	if !slices.Contains(w.Scope.Operations, v1alpha1.OperationCreate) && !slices.Contains(w.Scope.Operations, v1alpha1.OperationUpdate) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(w.Scope.Resources), func(r v1alpha1.ScopedResource) bool {
		must := PinsSpec(r.Group, r.Kind) || boundary && Pins(r.Group, r.Kind)
		return !must || !slices.ContainsFunc(r.Names, func(name v1alpha1.Glob) bool {
			return strings.ContainsAny(string(name), "*?") || w.Plan == nil || !slices.ContainsFunc(w.Plan.Workloads, func(p v1alpha1.PlannedWorkload) bool {
				return p.Group == r.Group && p.Kind == r.Kind && p.MadeBy == nil && !p.Rollback && slices.Contains(p.Names, name)
			})
		})
	})
}

// WithoutUID returns the resources in a window's scope whose deletion the window permits by name alone although the boundary rests on them: those of
// Firebreak's own kinds, and in a window for the boundary those of each kind that it rests on.
func WithoutUID(w *v1alpha1.ChangeWindowSpec, boundary bool) []v1alpha1.ScopedResource {
	if !slices.Contains(w.Scope.Operations, v1alpha1.OperationDelete) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(w.Scope.Resources), func(r v1alpha1.ScopedResource) bool {
		must := PinsSpec(r.Group, r.Kind) || boundary && Pins(r.Group, r.Kind)
		return !must || len(r.UIDs) > 0
	})
}

// specDiffers compares the spec of an object of Firebreak's own kinds with an entry.
func specDiffers(v *Verdict, e *v1alpha1.PlannedWorkload, q *Query) string {
	if e.Digest == q.Pin || q.Spec != nil && e.Digest == q.Spec.Digest {
		return ""
	}
	if q.Spec == nil || len(e.Fields) == 0 {
		return fmt.Sprintf("it was approved with digest %s, and this one has %s", e.Digest, cmp.Or(q.Pin, "none"))
	}
	v.Differences = Differences(e, q.Spec)
	return differing(v.Differences)
}

// Asked returns the spec of an object of Firebreak's own without the stamp of who sent it: the server writes that into what was approved.
func Asked(spec map[string]any) map[string]any {
	if _, stamped := spec["requestedBy"]; !stamped {
		return spec
	}
	out := maps.Clone(spec)
	delete(out, "requestedBy")
	return out
}
