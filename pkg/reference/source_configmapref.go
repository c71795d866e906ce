package reference

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// configMapRef finds the hosts in ConfigMaps that envFrom and keyRefs of a workload use: key by key where a key is
// named, whole where none is.
func configMapRef(in *Input) []Reference {
	if in.Template == nil {
		return nil
	}
	var out []Reference
	for _, c := range in.Template.Containers() {
		for i, from := range c.EnvFrom {
			if from.ConfigMapRef != nil {
				out = append(out, in.wholeMap(fmt.Sprintf("%s.envFrom[%d].configMapRef", c.Path, i), from.ConfigMapRef.Name)...)
			}
		}
		for i, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.ConfigMapKeyRef != nil {
				path := fmt.Sprintf("%s.env[%d].valueFrom.configMapKeyRef", c.Path, i)
				out = append(out, in.oneKey(path, e.ValueFrom.ConfigMapKeyRef)...)
			}
		}
	}
	return out
}

func (in *Input) wholeMap(path, name string) []Reference {
	cm, _ := in.configMap(name)
	keys := make([]string, 0, len(cm.Keys))
	for k := range cm.Keys {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var out []Reference
	for _, k := range keys {
		out = append(out, via(path, name, k, cm.Keys[k].Hosts)...)
	}
	return out
}

func (in *Input) oneKey(path string, ref *corev1.ConfigMapKeySelector) []Reference {
	cm, _ := in.configMap(ref.Name)
	return via(path, ref.Name, ref.Key, cm.Keys[ref.Key].Hosts)
}

func via(path, name, key string, hosts []Host) []Reference {
	out := at(path, name, hosts)
	for i := range out {
		out[i].Via = &Via{Kind: "ConfigMap", Name: name, Key: key}
	}
	return out
}
