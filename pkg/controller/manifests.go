package controller

import (
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// fill replaces the body of an object, and leaves each webhook its certificate.
func fill(o *unstructured.Unstructured, content map[string]any) {
	bundles := map[any]any{}
	webhooks, _, _ := unstructured.NestedSlice(o.Object, "webhooks")
	for _, w := range webhooks {
		if m, ok := w.(map[string]any); ok {
			bundles[m["name"]], _, _ = unstructured.NestedFieldNoCopy(m, "clientConfig", "caBundle")
		}
	}
	for k := range body(o) {
		delete(o.Object, k)
	}
	maps.Copy(o.Object, runtime.DeepCopyJSON(content))
	webhooks, _, _ = unstructured.NestedSlice(o.Object, "webhooks")
	for _, w := range webhooks {
		if m, ok := w.(map[string]any); ok && bundles[m["name"]] != nil {
			_ = unstructured.SetNestedField(m, bundles[m["name"]], "clientConfig", "caBundle") // it is a map, as the API server stored it
		}
	}
	if webhooks != nil {
		o.Object["webhooks"] = webhooks
	}
}

// body returns the part of a registration or policy that decides what it does. It leaves out the object's identity and the
// certificate, which others fill in.
func body(o *unstructured.Unstructured) map[string]any {
	out := map[string]any{}
	for k, v := range o.DeepCopy().Object {
		switch k {
		case "apiVersion", "kind", "metadata", "status":
		default:
			out[k] = v
		}
	}
	webhooks, _, _ := unstructured.NestedSlice(out, "webhooks")
	for _, w := range webhooks {
		if fields, ok := w.(map[string]any); ok {
			unstructured.RemoveNestedField(fields, "clientConfig", "caBundle")
		}
	}
	if webhooks != nil {
		out["webhooks"] = webhooks
	}
	return out
}
