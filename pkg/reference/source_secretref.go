package reference

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// secretRef finds the Secrets that a workload uses, by name. What is in them is another source's business: often the
// name is the only hint.
func secretRef(in *Input) []Reference {
	var out []Reference
	for _, c := range in.containers() {
		for i, from := range c.EnvFrom {
			if from.SecretRef != nil {
				out = append(out, in.secretNamed(fmt.Sprintf("%s.envFrom[%d].secretRef.name", c.Path, i), from.SecretRef.Name, "")...)
			}
		}
		for i, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				out = append(out, in.secretNamed(workload.Item(c.Path+".env", i)+".valueFrom.secretKeyRef.name", e.ValueFrom.SecretKeyRef.Name, "")...)
			}
		}
	}
	for _, t := range in.templates() {
		for i, s := range t.Spec.ImagePullSecrets {
			out = append(out, in.secretNamed(fmt.Sprintf("%s.imagePullSecrets[%d].name", t.SpecPath(), i), s.Name, "")...)
		}
		out = append(out, in.volumeSecrets(t)...)
	}
	return out
}

func (r *reader) secretNamed(path, name, namespace string) []Reference {
	if name == "" {
		return nil
	}
	return r.at(path, name, r.keep(nil, Target{Kind: Secret, Name: name, Namespace: namespace, Unambiguous: true}))
}

func (r *reader) volumeSecrets(t *workload.Template) []Reference {
	var out []Reference
	for i, v := range t.Spec.Volumes {
		path := workload.Item(t.SpecPath()+".volumes", i)
		out = append(out, r.secretOf(path, &v.VolumeSource)...)
		if v.Projected == nil {
			continue
		}
		for j, p := range v.Projected.Sources {
			if p.Secret != nil {
				out = append(out, r.secretNamed(fmt.Sprintf("%s.projected.sources[%d].secret.name", path, j), p.Secret.Name, "")...)
			}
		}
	}
	return out
}

// secretOf reads the Secrets by which a volume is opened.
func (r *reader) secretOf(path string, v *corev1.VolumeSource) []Reference {
	local := func(field string, ref *corev1.LocalObjectReference) []Reference {
		if ref == nil {
			return nil
		}
		return r.secretNamed(path+"."+field+".name", ref.Name, "")
	}
	switch {
	case v.Secret != nil:
		return r.secretNamed(path+".secret.secretName", v.Secret.SecretName, "")
	case v.AzureFile != nil:
		return r.secretNamed(path+".azureFile.secretName", v.AzureFile.SecretName, "")
	case v.CSI != nil:
		return local("csi.nodePublishSecretRef", v.CSI.NodePublishSecretRef)
	case v.ISCSI != nil:
		return local("iscsi.secretRef", v.ISCSI.SecretRef)
	case v.RBD != nil:
		return local("rbd.secretRef", v.RBD.SecretRef)
	case v.CephFS != nil:
		return local("cephfs.secretRef", v.CephFS.SecretRef)
	case v.Cinder != nil:
		return local("cinder.secretRef", v.Cinder.SecretRef)
	case v.FlexVolume != nil:
		return local("flexVolume.secretRef", v.FlexVolume.SecretRef)
	case v.ScaleIO != nil:
		return local("scaleIO.secretRef", v.ScaleIO.SecretRef)
	case v.StorageOS != nil:
		return local("storageos.secretRef", v.StorageOS.SecretRef)
	}
	return nil
}
