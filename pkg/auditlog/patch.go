package auditlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
)

// mostOperations is how many operations of a JSON patch are applied.
const mostOperations = 1000

var errPatchTooMuch = errors.New("the patch copies, or has too many operations")

// patched applies the patch of a request to the object as it was. The log does not say which form a patch has: an array is a JSON patch, and an object is
// taken for a strategic merge patch of Kubernetes' own kinds, which kubectl sends, and for a merge patch of others. What is applied declaratively is an
// object too, and changes the same fields.
func patched(before, patch []byte, gvk schema.GroupVersionKind) ([]byte, error) {
	if patch = bytes.TrimSpace(patch); len(patch) > 0 && patch[0] == '[' {
		p, err := jsonpatch.DecodePatch(patch)
		if err != nil {
			return nil, fmt.Errorf("read the patch: %w", err)
		}
		// Each copy may double the object, and nobody but an attacker sends many operations.
		if len(p) > mostOperations || slices.ContainsFunc(p, func(o jsonpatch.Operation) bool { return o.Kind() == "copy" }) {
			return nil, errPatchTooMuch
		}
		return p.Apply(before)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(patch, &fields); err != nil {
		return nil, fmt.Errorf("read the patch: %w", err)
	}
	if sample, err := clientgoscheme.Scheme.New(gvk); err == nil {
		return strategicpatch.StrategicMergePatch(before, patch, sample)
	}
	return jsonpatch.MergePatch(before, patch)
}
