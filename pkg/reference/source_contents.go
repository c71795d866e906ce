package reference

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// contents finds what the ConfigMaps and Secrets name that a workload uses: key by key where a key is named, whole where
// none is.
func contents(in *Input) []Reference {
	var out []Reference
	for _, c := range in.containers() {
		for i := range c.EnvFrom {
			out = append(out, in.envFrom(workload.Item(c.Path+".envFrom", i), &c.EnvFrom[i])...)
		}
		for i, e := range c.Env {
			if e.ValueFrom != nil {
				out = append(out, in.valueFrom(workload.Item(c.Path+".env", i)+".valueFrom", e.ValueFrom)...)
			}
		}
	}
	for _, t := range in.templates() {
		out = append(out, in.mounted(t)...)
	}
	return out
}

func (in *Input) envFrom(path string, from *corev1.EnvFromSource) []Reference {
	switch {
	case from.ConfigMapRef != nil:
		return in.wholeMap(path+".configMapRef", from.ConfigMapRef.Name)
	case from.SecretRef != nil:
		return in.wholeSecret(path+".secretRef", from.SecretRef.Name)
	}
	return nil
}

func (in *Input) valueFrom(path string, from *corev1.EnvVarSource) []Reference {
	switch {
	case from.ConfigMapKeyRef != nil:
		cm := in.configMap(from.ConfigMapKeyRef.Name)
		return in.keys(path+".configMapKeyRef", configMapKind, from.ConfigMapKeyRef.Name, cm, from.ConfigMapKeyRef.Key)
	case from.SecretKeyRef != nil:
		s := in.secret(from.SecretKeyRef.Name)
		return in.keys(path+".secretKeyRef", secretKind, from.SecretKeyRef.Name, s, from.SecretKeyRef.Key)
	}
	return nil
}

// mounted reads what volumes bring in: items where they are named, else everything.
func (in *Input) mounted(t *workload.Template) []Reference {
	var out []Reference
	for i, v := range t.Spec.Volumes {
		path := fmt.Sprintf("%s.volumes[%d]", t.SpecPath(), i)
		if s := v.ConfigMap; s != nil {
			out = append(out, in.itemsOf(path+".configMap", configMapKind, s.Name, s.Items)...)
		}
		if s := v.Secret; s != nil {
			out = append(out, in.itemsOf(path+".secret", secretKind, s.SecretName, s.Items)...)
		}
		if v.Projected == nil {
			continue
		}
		for j, p := range v.Projected.Sources {
			path := fmt.Sprintf("%s.projected.sources[%d]", path, j)
			if s := p.ConfigMap; s != nil {
				out = append(out, in.itemsOf(path+".configMap", configMapKind, s.Name, s.Items)...)
			}
			if s := p.Secret; s != nil {
				out = append(out, in.itemsOf(path+".secret", secretKind, s.Name, s.Items)...)
			}
		}
	}
	return out
}

const (
	configMapKind = "ConfigMap"
	secretKind    = "Secret"
)

func (in *Input) itemsOf(path, kind, name string, items []corev1.KeyToPath) []Reference {
	if len(items) == 0 {
		if kind == configMapKind {
			return in.wholeMap(path, name)
		}
		return in.wholeSecret(path, name)
	}
	names := make([]string, len(items))
	for i := range items {
		names[i] = items[i].Key
	}
	known := in.configMap(name)
	if kind == secretKind {
		known = in.secret(name)
	}
	return in.keys(path, kind, name, known, names...)
}

func (in *Input) wholeMap(path, name string) []Reference {
	cm := in.configMap(name)
	return in.keys(path, configMapKind, name, cm, cm.names()...)
}

func (in *Input) wholeSecret(path, name string) []Reference {
	s := in.secret(name)
	return in.keys(path, secretKind, name, s, s.names()...)
}

func (in *Input) keys(path, kind, name string, known Contents, names ...string) []Reference {
	var out []Reference
	for _, key := range names {
		k, _ := known.Key(key)
		refs := in.at(path, name, in.keep(nil, k.Targets...))
		for i := range refs {
			refs[i].Via = &Via{Kind: kind, Name: name, Key: key}
			refs[i].Confidential = kind == secretKind
		}
		out = append(out, refs...)
	}
	return out
}
