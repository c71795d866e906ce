package fence

import (
	_ "embed" // the policies are built in
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

//go:embed policies.yaml
var policies string

// Policies returns the policies of the fence, by what they are named after. The members of production's environments stand in them.
func Policies(in Input) ([]*unstructured.Unstructured, error) {
	filled := strings.NewReplacer(
		"ALWAYS", fmt.Sprint(in.Mode == Always),
		"MEMBER", member(in.Estate.Production()),
		"FIREBREAK_NAMESPACE", in.Estate.FirebreakNamespace,
	)
	var out []*unstructured.Unstructured
	d := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(policies), 4096)
	for {
		p := &unstructured.Unstructured{}
		switch err := d.Decode(&p.Object); {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, fmt.Errorf("read the policies: %w", err)
		}
		p.Object, _ = fill(p.Object, filled).(map[string]any)
		out = append(out, p)
	}
}

// fill fills in the texts of an object once it is read: what stands in quotes there is CEL's, not YAML's.
func fill(value any, with *strings.Replacer) any {
	switch v := value.(type) {
	case string:
		return with.Replace(v)
	case []any:
		for i := range v {
			v[i] = fill(v[i], with)
		}
	case map[string]any:
		for k := range v {
			v[k] = fill(v[k], with)
		}
	}
	return value
}

// Bindings returns the bindings of the policies to ConfigMaps of these names. Without its ConfigMap, a binding refuses.
func Bindings(namespace string, configMaps []string) []*unstructured.Unstructured {
	out := make([]*unstructured.Unstructured, 0, len(configMaps))
	for _, name := range configMaps {
		policy := name
		if strings.HasPrefix(name, Hosts+"-") {
			policy = Hosts
		}
		out = append(out, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": map[string]any{"name": name},
			"spec": map[string]any{
				"policyName": policy, "validationActions": []any{"Deny"},
				"paramRef": map[string]any{"name": name, "namespace": namespace, "parameterNotFoundAction": "Deny"},
			},
		}})
	}
	return out
}

// member returns the CEL expression that tells whether the requester is a member of environment e.
func member(envs []*estate.Environment) string {
	out := "false"
	for _, env := range envs {
		i := &env.Spec().Identities
		terms := []string{term("request.userInfo.username", i.Users), term("request.userInfo.username", i.Automation)}
		if t := term("g", i.Groups); t != "" {
			terms = append(terms, "(has(request.userInfo.groups) && request.userInfo.groups.exists(g, "+t+"))")
		}
		terms = slices.DeleteFunc(terms, func(t string) bool { return t == "" })
		if len(terms) > 0 {
			out += fmt.Sprintf(" || (e == '%s' && (%s))", env.Name, strings.Join(terms, " || "))
		}
	}
	return out
}

// term returns an expression that compares a text with globs; it is empty if there are none.
func term(text string, globs []v1alpha1.Glob) string {
	var exact, patterns []string
	for _, g := range globs {
		if strings.ContainsAny(string(g), "*?") {
			p := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(string(g)))
			patterns = append(patterns, text+".matches("+quote("^"+p+"$")+")")
			continue
		}
		exact = append(exact, quote(string(g)))
	}
	if len(exact) > 0 {
		patterns = append([]string{text + " in [" + strings.Join(exact, ", ") + "]"}, patterns...)
	}
	return strings.Join(patterns, " || ")
}

// quote writes a text as CEL does.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`).Replace(s) + "'"
}
