package cli

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// specPlan returns the plan of an object of Firebreak's own kinds: its spec, with the defaults that the API server fills in. A trial write
// would not do, since writing it is what the window is for.
func (e *env) specPlan(ctx context.Context, u *unstructured.Unstructured) (*change.Plan, error) {
	spec, _, err := unstructured.NestedMap(u.Object, "spec")
	if err != nil {
		return nil, fmt.Errorf("read the spec of %s %q: %w", u.GetKind(), u.GetName(), err)
	}
	schema, err := e.schemaOf(ctx, u.GetKind())
	if err != nil {
		return nil, fmt.Errorf("learn the defaults of %s: %w", u.GetKind(), err)
	}
	whole, _ := withDefaults(schema, spec).(map[string]any)
	return change.SpecPlan(whole), nil
}

// schemaOf returns the schema of the spec of one of Firebreak's kinds, as the API server publishes it to everybody.
func (e *env) schemaOf(ctx context.Context, kind string) (map[string]any, error) {
	cfg, err := e.config.loader().ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("load the kubeconfig: %w", err)
	}
	d, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	raw, err := d.RESTClient().Get().AbsPath("/openapi/v3/apis/"+v1alpha1.GroupVersion().Group+"/"+v1alpha1.GroupVersion().Version).SetHeader("Accept", "application/json").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the API server's schema: %w", err)
	}
	var doc struct {
		Components struct {
			Schemas map[string]map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("read the API server's schema: %w", err)
	}
	for _, s := range doc.Components.Schemas {
		kinds, _, _ := unstructured.NestedSlice(s, "x-kubernetes-group-version-kind")
		for _, k := range kinds {
			if m, ok := k.(map[string]any); ok && m["kind"] == kind {
				spec, found, _ := unstructured.NestedMap(s, "properties", "spec")
				if found {
					return spec, nil
				}
			}
		}
	}
	return nil, fmt.Errorf("the API server has no schema of kind %s", kind)
}

// withDefaults returns a value with what its schema fills in where nothing is said, as the API server does.
func withDefaults(schema map[string]any, v any) any {
	switch v := v.(type) {
	case map[string]any:
		properties, _, _ := unstructured.NestedMap(schema, "properties")
		for name, p := range properties {
			of, _ := p.(map[string]any)
			if _, said := v[name]; !said {
				if d, ok := of["default"]; ok {
					v[name] = d
				}
			}
			if item, ok := v[name]; ok {
				v[name] = withDefaults(of, item)
			}
		}
		if more, ok := schema["additionalProperties"].(map[string]any); ok {
			for k := range v {
				if _, named := properties[k]; !named {
					v[k] = withDefaults(more, v[k])
				}
			}
		}
	case []any:
		items, _ := schema["items"].(map[string]any)
		for i := range v {
			v[i] = withDefaults(items, v[i])
		}
	}
	return v
}

// storedSpec returns the plan of the object of Firebreak's own kinds that exists under the name of an entry.
func (s *screen) storedSpec(ctx context.Context, p *v1alpha1.PlannedWorkload) (string, *v1alpha1.PlannedWorkload) {
	var u unstructured.Unstructured
	u.SetGroupVersionKind(v1alpha1.GVK(p.Kind))
	err := s.c.Get(ctx, client.ObjectKey{Name: string(p.Names[0])}, &u)
	switch {
	case apierrors.IsNotFound(err):
		return "nothing of that name exists", nil
	case err != nil:
		return fmt.Sprintf("what is stored cannot be read: %v", err), nil
	}
	spec, _, err := unstructured.NestedMap(u.Object, "spec")
	if err != nil {
		return fmt.Sprintf("what is stored cannot be read: %v", err), nil
	}
	by := change.SpecPlan(spec).By(p.Digest)
	if by == nil {
		return "what is stored cannot be compared", nil
	}
	return "what is stored", &v1alpha1.PlannedWorkload{ScopedResource: p.ScopedResource, Digest: by.Digest, Fields: by.Fields}
}
