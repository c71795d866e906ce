package controller

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// RegistrationsKey is the key of the ConfigMap under which the rendered admission configuration stands.
const RegistrationsKey = "registrations.yaml"

// parseManifests reads a stream of objects.
func parseManifests(text string) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	d := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		o := &unstructured.Unstructured{}
		switch err := d.Decode(&o.Object); {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, fmt.Errorf("document %d: %w", len(out)+1, err)
		}
		if len(o.Object) > 0 {
			out = append(out, o)
		}
	}
}

// body is what decides what a registration or policy does: not who it is, nor by which certificate it is reached, which
// others fill in.
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
