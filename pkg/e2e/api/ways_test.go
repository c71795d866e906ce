package api

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// way is one way in which a client can write: it sends the difference between two versions of an object.
type way struct {
	reason string
	write  func(ctx context.Context, c client.Client, before, after *unstructured.Unstructured) error
}

// creations are the ways in which an object is created.
func creations() map[string]way {
	return map[string]way{
		"create": {"what kubectl create sends", func(ctx context.Context, c client.Client, _, o *unstructured.Unstructured) error {
			return c.Create(ctx, o)
		}},
		"create with a generated name": {"the name is not known before admission", func(ctx context.Context, c client.Client, _, o *unstructured.Unstructured) error {
			o.SetGenerateName(o.GetName() + "-")
			o.SetName("")
			return c.Create(ctx, o)
		}},
		"server-side apply": {"an object that does not exist is created by a PATCH", func(ctx context.Context, c client.Client, _, o *unstructured.Unstructured) error {
			return applyAs(ctx, c, o, "forger")
		}},
		"kubectl's client-side apply": {"the stamp is in an annotation, too", func(ctx context.Context, c client.Client, _, o *unstructured.Unstructured) error {
			raw, err := o.MarshalJSON()
			if err != nil {
				return err
			}
			o.SetAnnotations(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": string(raw)})
			return c.Create(ctx, o, client.FieldOwner("kubectl-client-side-apply"))
		}},
	}
}

// updates are the ways in which a stored object can be written.
func updates() map[string]way {
	return map[string]way{
		"update": {"what kubectl replace sends", func(ctx context.Context, c client.Client, _, after *unstructured.Unstructured) error {
			return again(ctx, c, after, func() error { return c.Update(ctx, after) })
		}},
		"merge patch": {"what kubectl edit and apply send", func(ctx context.Context, c client.Client, before, after *unstructured.Unstructured) error {
			return c.Patch(ctx, after, client.MergeFrom(before))
		}},
		"JSON patch": {"what kubectl patch --type json sends", func(ctx context.Context, c client.Client, before, after *unstructured.Unstructured) error {
			patch, err := replacing(after, "spec", "metadata/labels", "metadata/annotations")
			if err != nil {
				return err
			}
			return c.Patch(ctx, before, patch)
		}},
		"server-side apply": {"by force, as another manager", func(ctx context.Context, c client.Client, _, after *unstructured.Unstructured) error {
			return applyAs(ctx, c, bare(after), "forger", client.ForceOwnership)
		}},
	}
}

// statusWrites are the ways in which a status can be written.
func statusWrites() map[string]way {
	return map[string]way{
		"update of the status": {"what controllers send", func(ctx context.Context, c client.Client, _, after *unstructured.Unstructured) error {
			return again(ctx, c, after, func() error { return c.Status().Update(ctx, after) })
		}},
		"merge patch of the status": {"kubectl patch --subresource=status", func(ctx context.Context, c client.Client, before, after *unstructured.Unstructured) error {
			return c.Status().Patch(ctx, after, client.MergeFrom(before))
		}},
		"JSON patch of the status": {"the same, by path", func(ctx context.Context, c client.Client, before, after *unstructured.Unstructured) error {
			patch, err := replacing(after, "status")
			if err != nil {
				return err
			}
			return c.Status().Patch(ctx, before, patch)
		}},
		"server-side apply of the status": {"kubectl apply --server-side --subresource=status", func(ctx context.Context, c client.Client, _, after *unstructured.Unstructured) error {
			return c.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(bare(after)), client.FieldOwner("forger"), client.ForceOwnership)
		}},
	}
}

// again repeats an update that failed because Firebreak wrote the status in between: such a conflict is not an answer.
func again(ctx context.Context, c client.Client, o client.Object, update func() error) error {
	for {
		err := update()
		if !apierrors.IsConflict(err) {
			return err
		}
		fresh := o.DeepCopyObject().(client.Object)
		if err := c.Get(ctx, client.ObjectKeyFromObject(o), fresh); err != nil {
			return err
		}
		o.SetResourceVersion(fresh.GetResourceVersion())
	}
}

// replacing makes a JSON patch that replaces parts of the stored object with those of an object.
func replacing(o *unstructured.Unstructured, parts ...string) (client.Patch, error) {
	var ops []map[string]any
	for _, p := range parts {
		if value, ok, _ := unstructured.NestedFieldNoCopy(o.Object, strings.Split(p, "/")...); ok {
			ops = append(ops, map[string]any{"op": "add", "path": "/" + p, "value": value})
		}
	}
	raw, err := json.Marshal(ops)
	if err != nil {
		return nil, err
	}
	return client.RawPatch(types.JSONPatchType, raw), nil
}

// applyAs sends a server-side apply as one field manager.
func applyAs(ctx context.Context, c client.Client, o *unstructured.Unstructured, manager string, opts ...client.ApplyOption) error {
	return c.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), append(opts, client.FieldOwner(manager))...)
}

// bare returns an object as a manifest has it: without what the API server adds to its metadata.
func bare(o *unstructured.Unstructured) *unstructured.Unstructured {
	out := o.DeepCopy()
	meta := map[string]any{"name": o.GetName()}
	for _, k := range []string{"namespace", "labels", "annotations"} {
		if v, ok := o.Object["metadata"].(map[string]any)[k]; ok {
			meta[k] = v
		}
	}
	out.Object["metadata"] = meta
	return out
}

// edited returns a copy of an object with edits.
func edited(t *testing.T, o *unstructured.Unstructured, e edits) *unstructured.Unstructured {
	t.Helper()
	out := o.DeepCopy().Object
	e.in(out)
	return toUnstructured(t, out)
}
