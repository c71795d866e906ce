package fence

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Altered reports whether a stored policy or binding holds what Firebreak has not written, by which it would refuse less: another condition, variable
// or validation, or a narrower match. Fields that the API server fills in are not such.
func Altered(wanted, stored *unstructured.Unstructured) bool {
	for _, list := range [][]string{
		{"spec", "matchConditions"}, {"spec", "variables"}, {"spec", "validations"}, {"spec", "matchConstraints", "resourceRules"}, {"spec", "matchConstraints", "excludeResourceRules"},
		{"spec", "validationActions"},
	} {
		a, _, _ := unstructured.NestedSlice(wanted.Object, list...)
		b, _, _ := unstructured.NestedSlice(stored.Object, list...)
		if len(a) != len(b) {
			return true
		}
	}
	for _, selector := range [][]string{
		{"spec", "matchConstraints", "namespaceSelector"}, {"spec", "matchConstraints", "objectSelector"}, {"spec", "matchResources"},
	} {
		if m, found, _ := unstructured.NestedMap(stored.Object, selector...); found && len(m) > 0 {
			return true
		}
	}
	return false
}
