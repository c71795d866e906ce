package reference

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// env finds hosts in the values of environment variables, as they stand and as $(VAR) makes them.
func env(in *Input) []Reference {
	var out []Reference
	for _, c := range in.containers() {
		vars := in.fromSources(c.Container)
		for i, e := range c.Env {
			value := in.resolve(e, vars)
			if e.Value == "" {
				continue
			}
			targets := variable(e.Name, e.Value)
			if value != e.Value {
				targets = append(targets, variable(e.Name, value)...)
			}
			if len(targets) > 0 {
				out = append(out, at(fmt.Sprintf("%s.env[%d].value", c.Path, i), e.Value, targets)...)
			}
		}
	}
	return out
}

// variable reads the value of a variable, which may be a text in base64.
func variable(name, value string) []Target {
	out := append(Find(value, name, Value), namespaceVariable(name, value)...)
	return append(out, Find(unwrapped(value), name, Value)...)
}

// namespaceVariable reads the variables that tell programs which namespace to act in. Others that end so often mean
// something else: the prefix of metrics, a tenant of another system.
func namespaceVariable(name, value string) []Target {
	switch strings.ToUpper(name) {
	case "NAMESPACE", "NAMESPACES", "WATCH_NAMESPACE", "WATCH_NAMESPACES", "POD_NAMESPACE", "KUBE_NAMESPACE", "KUBERNETES_NAMESPACE",
		"K8S_NAMESPACE", "TARGET_NAMESPACE", "TARGET_NAMESPACES", "HELM_NAMESPACE":
		return NamespaceTargets(value)
	}
	return nil
}

// Environment returns the variables of a container that are known before it runs, in the kubelet's order: envFrom
// first, then each entry of env, which may use the ones before it.
func (in *Input) Environment(c *corev1.Container) map[string]string {
	vars := in.fromSources(c)
	for _, e := range c.Env {
		in.resolve(e, vars)
	}
	return vars
}

func (in *Input) fromSources(c *corev1.Container) map[string]string {
	vars := map[string]string{}
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef == nil {
			continue
		}
		cm := in.configMap(from.ConfigMapRef.Name)
		for key, k := range cm.Keys {
			if !k.Long {
				vars[from.Prefix+key] = k.Short
			}
		}
	}
	return vars
}

// resolve adds one entry to vars and returns its value; empty where it is not known. One that is known to be empty is
// not unknown: the kubelet puts nothing in its place.
func (in *Input) resolve(e corev1.EnvVar, vars map[string]string) string {
	value, known := "", true
	switch {
	case e.Value != "":
		value = expand(e.Value, func(n string) (string, bool) { v, ok := vars[n]; return v, ok }, in.budget)
	case e.ValueFrom == nil:
	case e.ValueFrom.ConfigMapKeyRef != nil:
		cm := in.configMap(e.ValueFrom.ConfigMapKeyRef.Name)
		k, ok := cm.Keys[e.ValueFrom.ConfigMapKeyRef.Key]
		value, known = k.Short, ok && !k.Long
	case e.ValueFrom.FieldRef != nil && e.ValueFrom.FieldRef.FieldPath == "metadata.namespace":
		value = in.Namespace
	default:
		known = false
	}
	delete(vars, e.Name)
	if known {
		vars[e.Name] = value
	}
	return value
}
