package controller

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// RegistrationsKey is the key in the ConfigMap that holds the rendered admission configuration.
const RegistrationsKey = "registrations.yaml"

// parseRegistrations reads a stream of webhook configurations and admission policies. Anything else is an error, and so is a
// name that is not one of Firebreak's, since the objects are written with Firebreak's rights.
func parseRegistrations(text string) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	d := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		o := &unstructured.Unstructured{}
		switch err := d.Decode(&o.Object); {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, fmt.Errorf("document %d: %w", len(out)+1, err)
		case len(o.Object) == 0:
			continue
		}
		if !slices.Contains(registrationKinds(), o.GetKind()) || o.GroupVersionKind().Group != admissionregistrationv1.GroupName ||
			o.GetName() != configuration && !strings.HasPrefix(o.GetName(), configuration+"-") {
			return nil, fmt.Errorf("%s %q is neither a registration nor a policy of Firebreak's", o.GetKind(), o.GetName())
		}
		out = append(out, o)
	}
}

func registrationKinds() []string {
	return []string{"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
}

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
