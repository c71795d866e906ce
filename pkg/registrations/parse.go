package registrations

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

const (
	// Key is the key in the ConfigMap ConfigMapName that holds the rendered admission configuration.
	Key = "registrations.yaml"
	// ConfigMapName is the ConfigMap of Firebreak's namespace with what the chart has rendered.
	ConfigMapName = "firebreak-registrations"
	// Name is the name of both webhook configurations. The names of the policies begin with it and a dash.
	Name = "firebreak"
)

// Parse reads a stream of webhook configurations and admission policies. Anything else is an error, and so is a name that is not
// one of Firebreak's, since the objects are written with Firebreak's rights.
func Parse(text string) ([]*unstructured.Unstructured, error) {
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
		if !slices.Contains(kinds(), o.GetKind()) || o.GroupVersionKind().Group != admissionregistrationv1.GroupName ||
			o.GetName() != Name && !strings.HasPrefix(o.GetName(), Name+"-") {
			return nil, fmt.Errorf("%s %q is neither a registration nor a policy of Firebreak's", o.GetKind(), o.GetName())
		}
		out = append(out, o)
	}
}

const (
	mutating   = "MutatingWebhookConfiguration"
	validating = "ValidatingWebhookConfiguration"
	policy     = "ValidatingAdmissionPolicy"
	binding    = "ValidatingAdmissionPolicyBinding"
)

func kinds() []string { return []string{mutating, validating, policy, binding} }
