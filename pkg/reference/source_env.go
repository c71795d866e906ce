package reference

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// env finds hosts in the values of environment variables, as they stand and as $(VAR) makes them.
func env(in *Input) []Reference {
	var out []Reference
	for _, c := range in.containers() {
		var vars map[string]string
		if composes(c.Container) {
			vars = in.fromSources(c.Container)
		}
		for i := range c.Env {
			e := &c.Env[i]
			value := e.Value
			if vars != nil {
				value = in.resolve(e, c.Template, vars)
			}
			if e.Value == "" {
				continue
			}
			targets := in.variable(e.Name, e.Value)
			if value != e.Value {
				targets = append(targets, in.variable(e.Name, value)...)
			}
			path := ""
			if len(targets) > 0 {
				path = fmt.Sprintf("%s.env[%d].value", c.Path, i)
			}
			out = append(out, in.at(path, e.Value, targets)...)
		}
	}
	return out
}

// composes reports whether a variable of a container is made of others.
func composes(c *corev1.Container) bool {
	return slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return strings.Contains(e.Value, "$(") })
}

// variable reads the value of a variable, which may be a text in base64.
func (r *reader) variable(name, value string) []Target {
	if !strings.Contains(value, "\n") && !r.mayName(value) { // base64 may go over lines
		return r.namespaceVariable(name, value)
	}
	out := append(r.find(value, name, Value), r.namespaceVariable(name, value)...)
	return append(out, r.find(unwrapped(value), name, Value)...)
}

// namespaceVariable reads the variables that tell programs which namespace to act in. Others that end so often mean
// something else: the prefix of metrics, a tenant of another system.
func (r *reader) namespaceVariable(name, value string) []Target {
	if len(name) < len("NAMESPACE") || name[len(name)-1]|0x20 != 'e' && name[len(name)-1]|0x20 != 's' {
		return nil
	}
	switch strings.ToUpper(name) {
	case "NAMESPACE", "NAMESPACES", "WATCH_NAMESPACE", "WATCH_NAMESPACES", "POD_NAMESPACE", "KUBE_NAMESPACE", "KUBERNETES_NAMESPACE",
		"TARGET_NAMESPACE", "TARGET_NAMESPACES", "HELM_NAMESPACE":
		return r.namespace(value)
	}
	for w := range nameWords(name) {
		if w == "kubernetes" || w == "k8s" || w == "kube" {
			if namespaceKey(strings.ToLower(name)) {
				return r.namespace(value)
			}
		}
	}
	return nil
}

// Environment returns the variables of a container that are known before it runs, in the kubelet's order: envFrom
// first, then each entry of env, which may use the ones before it.
func (in *Input) Environment(c workload.Container) map[string]string {
	in.begin()
	vars := in.fromSources(c.Container)
	for _, e := range c.Env {
		in.resolve(&e, c.Template, vars)
	}
	return vars
}

// variableCost is what a variable costs in units, beside the bytes of its value.
const variableCost = 32

func (in *Input) fromSources(c *corev1.Container) map[string]string {
	vars := map[string]string{}
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef == nil {
			continue
		}
		cm := in.configMap(from.ConfigMapRef.Name)
		for _, k := range cm.Keys {
			if !in.budget.Spend(variableCost) {
				return vars
			}
			if !k.Long {
				vars[from.Prefix+k.Name] = k.Short
			}
		}
	}
	return vars
}

// resolve adds one entry to vars and returns its value; empty where it is not known. One that is known to be empty is
// not unknown: the kubelet puts nothing in its place.
func (in *Input) resolve(e *corev1.EnvVar, t *workload.Template, vars map[string]string) string {
	if !in.budget.Spend(variableCost) {
		return ""
	}
	value, known := "", true
	switch {
	case e.Value != "":
		value = expand(e.Value, func(n string) (string, bool) { v, ok := vars[n]; return v, ok }, in.budget)
	case e.ValueFrom == nil:
	case e.ValueFrom.ConfigMapKeyRef != nil:
		cm := in.configMap(e.ValueFrom.ConfigMapKeyRef.Name)
		k, ok := cm.Key(e.ValueFrom.ConfigMapKeyRef.Key)
		value, known = k.Short, ok && !k.Long
	case e.ValueFrom.FieldRef != nil && e.ValueFrom.FieldRef.FieldPath == "metadata.namespace":
		value = in.Namespace
	case e.ValueFrom.FieldRef != nil:
		value, known = fieldOf(t, e.ValueFrom.FieldRef.FieldPath)
	default:
		known = false
	}
	delete(vars, e.Name)
	if known {
		vars[e.Name] = value
	}
	return value
}
