package fence

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// MaxStatic is how many names stand in the policies of a file: there they are part of an expression, which the API server evaluates for each request.
const MaxStatic = 1000

// Static returns the part of the fence that does not change from hour to hour, for files on the disk of API servers, where policies take no parameters:
// the names of production and its members stand in the policies themselves, and hold always. left is how many names did not fit. What changes in the
// estate counts once the files are written anew.
func Static(in Input) (out []*unstructured.Unstructured, left int, err error) {
	in.Mode = Always
	policies, err := Policies(in)
	if err != nil {
		return nil, 0, err
	}
	configMaps, left := ConfigMaps(in)
	names := map[string]string{}
	for name, cm := range configMaps {
		if strings.HasPrefix(name, Hosts+"-") {
			maps.Copy(names, cm.Data)
		}
	}
	for _, p := range policies {
		data := map[string]map[string]string{Hosts: names, Members: configMaps[Members].Data}[p.GetName()]
		if data == nil {
			continue // windows come and go
		}
		literal, more := literalOf(data)
		left += more
		unstructured.RemoveNestedField(p.Object, "spec", "paramKind")
		if err := define(p, "known", literal); err != nil {
			return nil, 0, err
		}
		out = append(out, p, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": map[string]any{"name": p.GetName()},
			"spec": map[string]any{"policyName": p.GetName(), "validationActions": []any{"Deny"}},
		}})
	}
	return out, left, nil
}

// literalOf writes a map as CEL does. What is not the name of a data store is always in it; of names, the first MaxStatic.
func literalOf(data map[string]string) (literal string, left int) {
	var terms []string
	hosts := 0
	for _, k := range slices.Sorted(maps.Keys(data)) {
		if strings.HasPrefix(k, hostKey) || strings.HasPrefix(k, wildKey) {
			if hosts++; hosts > MaxStatic {
				left++
				continue
			}
		}
		terms = append(terms, quote(k)+": "+quote(data[k]))
	}
	return "{" + strings.Join(terms, ", ") + "}", left
}

// define sets the expression of a variable.
func define(p *unstructured.Unstructured, name, expression string) error {
	variables, _, err := unstructured.NestedSlice(p.Object, "spec", "variables")
	if err != nil {
		return fmt.Errorf("read policy %q: %w", p.GetName(), err)
	}
	for _, v := range variables {
		if m, ok := v.(map[string]any); ok && m["name"] == name {
			m["expression"] = expression
			return unstructured.SetNestedSlice(p.Object, variables, "spec", "variables")
		}
	}
	return fmt.Errorf("policy %q has no variable %q", p.GetName(), name)
}
