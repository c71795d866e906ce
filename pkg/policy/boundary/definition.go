package boundary

import (
	"reflect"
	"slices"
)

// OnlyGrows reports whether a CustomResourceDefinition still accepts, refuses and means all that it did: only descriptions, short names
// or columns differ, or there are further fields that nobody has to set. Most upgrades of Firebreak bring just that, which weakens
// nothing; of any other change nothing can be proved. A further validation is not a strengthening: it could refuse the rejection of a
// window, a freeze, or every execution.
func OnlyGrows(old, new map[string]any) bool {
	was, is := nested(old, "spec"), nested(new, "spec")
	if was == nil || is == nil {
		return false
	}
	versions, _ := was["versions"].([]any)
	others, _ := is["versions"].([]any)
	if len(versions) != len(others) || !sameBut(was, is, "versions", "names") ||
		!sameBut(nested(was, "names"), nested(is, "names"), "shortNames", "categories") {
		return false
	}
	for i := range versions {
		a, _ := versions[i].(map[string]any)
		b, _ := others[i].(map[string]any)
		if !sameBut(a, b, "schema", "additionalPrinterColumns") ||
			!schemaGrows(nested(a, "schema", "openAPIV3Schema"), nested(b, "schema", "openAPIV3Schema")) {
			return false
		}
	}
	return true
}

// schemaGrows reports whether a schema only grows. It compares the two states field by field.
func schemaGrows(old, new map[string]any) bool {
	if old == nil || new == nil {
		return old == nil && new == nil
	}
	const rules = "x-kubernetes-validations"
	if !sameBut(old, new, "description", "example", "properties", "items", "additionalProperties", rules) || !sameRules(old[rules], new[rules]) {
		return false
	}
	if !fieldsGrow(nested(old, "properties"), nested(new, "properties")) {
		return false
	}
	for _, of := range []string{"items", "additionalProperties"} {
		a, b := nested(old, of), nested(new, of)
		if a == nil && b == nil {
			if !reflect.DeepEqual(old[of], new[of]) { // true, false, or nothing
				return false
			}
		} else if !schemaGrows(a, b) {
			return false
		}
	}
	return true
}

// fieldsGrow reports whether each field is still there, and further ones are set by nobody but the writer of the object.
func fieldsGrow(was, is map[string]any) bool {
	for name := range is {
		if _, known := was[name]; !known && hasDefault(is[name]) {
			return false // a field that nobody has set would be set, and perhaps refused
		}
	}
	for name := range was {
		if !schemaGrows(nested(was, name), nested(is, name)) {
			return false
		}
	}
	return len(was) > 0 || len(is) == 0 // an object that accepted any field must not begin to accept only some
}

// sameRules reports whether two lists of validations are the same apart from their messages.
func sameRules(old, new any) bool {
	was, _ := old.([]any)
	is, _ := new.([]any)
	return slices.EqualFunc(was, is, func(a, b any) bool {
		x, _ := a.(map[string]any)
		y, _ := b.(map[string]any)
		return sameBut(x, y, "message", "messageExpression", "reason", "fieldPath")
	})
}

// hasDefault reports whether a schema sets a field by itself, at any depth.
func hasDefault(schema any) bool {
	switch s := schema.(type) {
	case map[string]any:
		for k, v := range s {
			if k == "default" || hasDefault(v) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(s, hasDefault)
	}
	return false
}

// sameBut reports whether two objects are the same apart from some of their fields.
func sameBut(a, b map[string]any, but ...string) bool {
	if (a == nil) != (b == nil) {
		return false
	}
	for _, m := range []map[string]any{a, b} {
		for k := range m {
			if !slices.Contains(but, k) && !reflect.DeepEqual(a[k], b[k]) {
				return false
			}
		}
	}
	return true
}

// nested returns an object within an object, or nil if there is none.
func nested(m map[string]any, path ...string) map[string]any {
	for _, p := range path {
		m, _ = m[p].(map[string]any)
	}
	return m
}
