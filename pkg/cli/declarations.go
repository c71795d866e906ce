package cli

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/scheme"
)

// strictly reports why an object of Firebreak's own is not one: its kind is not served, a field is unknown, or a value has another type.
// The API server refuses such an object; a file that holds one would declare less than it seems to.
func strictly(u *unstructured.Unstructured) error {
	gvk := u.GroupVersionKind()
	if gvk.Group != v1alpha1.GroupName {
		return nil
	}
	known, err := scheme.New()
	if err != nil {
		return err
	}
	o, err := known.New(gvk)
	if err != nil {
		return fmt.Errorf("there is no kind %q in %s", gvk.Kind, gvk.GroupVersion())
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(u.Object, o, true); err != nil {
		return fmt.Errorf("%s %q: %w", gvk.Kind, u.GetName(), err)
	}
	return nil
}

// malformed returns a result for each declaration that is malformed, since what it declares cannot match: nothing that is judged by such an
// estate is known to be admitted.
func (k *snapshot) malformed(file string) []Result {
	var out []Result
	for _, p := range k.view.Estate.Problems() {
		r := Result{File: file, Kind: p.Kind, Name: p.Name}
		out = append(out, r.undecided(fmt.Errorf("%s: %s, so what it declares cannot be found", p.Path, p.Message)))
	}
	return out
}
