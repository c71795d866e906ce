package change

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/hide"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// undefaultVolume removes the defaults that the API server fills in, so that a manifest and the stored object pin the same.
func undefaultVolume(v corev1.Volume) corev1.Volume {
	v = *v.DeepCopy()
	const mode = 0o644
	switch {
	case v.VolumeSource == corev1.VolumeSource{}:
		v.EmptyDir = &corev1.EmptyDirVolumeSource{}
	case v.ConfigMap != nil:
		omit(&v.ConfigMap.DefaultMode, mode)
	case v.Secret != nil:
		omit(&v.Secret.DefaultMode, mode)
	case v.DownwardAPI != nil:
		omit(&v.DownwardAPI.DefaultMode, mode)
		undefaultItems(v.DownwardAPI.Items)
	case v.Projected != nil:
		omit(&v.Projected.DefaultMode, mode)
		undefaultSources(v.Projected.Sources)
	case v.HostPath != nil:
		omit(&v.HostPath.Type, "")
	case v.EmptyDir != nil:
		// An emptyDir is always the same: an empty folder. It is kept as a marker, since an empty object counts as nothing.
		v.EmptyDir.SizeLimit = nil
	case v.Image != nil:
		v.Image.PullPolicy = "" // the policy says when it is pulled, not what it is
	case v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil:
		omit(&v.Ephemeral.VolumeClaimTemplate.Spec.VolumeMode, corev1.PersistentVolumeFilesystem)
	default:
		undefaultDisk(&v)
	}
	return v
}

// undefaultDisk removes the defaults of volumes on another machine.
func undefaultDisk(v *corev1.Volume) {
	switch {
	case v.ISCSI != nil:
		blank(&v.ISCSI.ISCSIInterface, "default")
	case v.RBD != nil:
		blank(&v.RBD.RBDPool, "rbd")
		blank(&v.RBD.RadosUser, "admin")
		blank(&v.RBD.Keyring, "/etc/ceph/keyring")
	case v.AzureDisk != nil:
		omit(&v.AzureDisk.CachingMode, corev1.AzureDataDiskCachingReadWrite)
		omit(&v.AzureDisk.FSType, "ext4")
		omit(&v.AzureDisk.ReadOnly, false)
		omit(&v.AzureDisk.Kind, corev1.AzureSharedBlobDisk)
	case v.ScaleIO != nil:
		blank(&v.ScaleIO.StorageMode, "ThinProvisioned")
		blank(&v.ScaleIO.FSType, "xfs")
	}
}

// omit sets a pointer field with the default value to nil. blank does so for fields that are not pointers.
func omit[T comparable](field **T, def T) {
	if *field != nil && **field == def {
		*field = nil
	}
}

func blank(field *string, def string) {
	if *field == def {
		*field = ""
	}
}

func undefaultSources(in []corev1.VolumeProjection) {
	for i := range in {
		if t := in[i].ServiceAccountToken; t != nil {
			omit(&t.ExpirationSeconds, 3600)
		}
		if d := in[i].DownwardAPI; d != nil {
			undefaultItems(d.Items)
		}
	}
}

func undefaultItems(items []corev1.DownwardAPIVolumeFile) {
	for i := range items {
		if f := items[i].FieldRef; f != nil {
			blank(&f.APIVersion, "v1")
		}
	}
}

// configMapUse maps a ConfigMap to the keys that a workload uses; nil means all keys.
type configMapUse map[string][]string

// ConfigMapsOf returns the names of the ConfigMaps that templates use, sorted.
func ConfigMapsOf(templates ...*workload.Template) []string {
	names := map[string]struct{}{}
	for _, t := range templates {
		for name := range usesOf(t) {
			names[name] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func usesOf(t *workload.Template) configMapUse {
	use := configMapUse{}
	for _, c := range t.Containers() {
		for _, f := range c.EnvFrom {
			if f.ConfigMapRef != nil {
				use.all(f.ConfigMapRef.Name)
			}
		}
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.ConfigMapKeyRef != nil {
				use.key(e.ValueFrom.ConfigMapKeyRef.Name, e.ValueFrom.ConfigMapKeyRef.Key)
			}
		}
	}
	for _, v := range t.Spec.Volumes {
		switch {
		case v.ConfigMap != nil:
			use.items(v.ConfigMap.Name, v.ConfigMap.Items)
		case v.Projected != nil && !injectedVolume(v):
			for _, s := range v.Projected.Sources {
				if s.ConfigMap != nil {
					use.items(s.ConfigMap.Name, s.ConfigMap.Items)
				}
			}
		}
	}
	return use
}

func (u configMapUse) all(name string) { u[name] = nil }

func (u configMapUse) key(name, key string) {
	keys, used := u[name]
	if used && keys == nil {
		return // all of them already
	}
	if !slices.Contains(keys, key) {
		u[name] = append(keys, key)
	}
}

func (u configMapUse) items(name string, items []corev1.KeyToPath) {
	if len(items) == 0 {
		u.all(name)
	}
	for _, i := range items {
		u.key(name, i.Key)
	}
}

// configMaps pins the content of every used key, so that a ConfigMap that is swapped after the approval shows as a
// difference.
func (b *builder) configMaps(t *workload.Template, contents Contents) {
	uses := usesOf(t)
	if b.tooMany = len(uses) > MaxConfigMaps; b.tooMany {
		return
	}
	size := 0
	for _, name := range slices.Sorted(maps.Keys(uses)) {
		keys := uses[name]
		data, ok := map[string][]byte(nil), false
		if contents != nil {
			data, ok = contents(name)
		}
		if !ok {
			b.missing(fmt.Sprintf("configMaps[%q]", name), "absent")
			continue
		}
		if keys == nil {
			for k := range data {
				keys = append(keys, k)
			}
			if len(keys) == 0 {
				b.missing(fmt.Sprintf("configMaps[%q]", name), "empty")
			}
		}
		for _, k := range keys {
			size += len(data[k])
		}
		for _, k := range keys {
			path := fmt.Sprintf("configMaps[%q].data[%q]", name, k)
			if v, ok := data[k]; ok {
				b.content(path, k, v, size <= maxContent)
			} else {
				b.missing(path, "absent")
			}
		}
	}
}

// maxContent is how many bytes the ConfigMaps may have that a plan shows, in the order of their names: credentials are looked for in all that
// it shows.
const maxContent = 256 << 10

// content adds a key of a ConfigMap, with what it says if it is a text that is short enough.
func (b *builder) content(path, key string, v []byte, show bool) {
	switch {
	case b.first:
		b.add(path, append([]byte("content:"), v...), "")
	case show && len(v) <= maxSaid/2 && utf8.Valid(v):
		text, err := json.Marshal(hide.Value(path, key, string(v)))
		if err == nil && len(text) <= maxSaid {
			b.fields[path] = v1alpha1.PlannedField{Path: path, Digest: fieldDigest(text), Value: string(text)}
			return
		}
		fallthrough
	default:
		b.fields[path] = v1alpha1.PlannedField{Path: path, Digest: fieldDigest(append([]byte("content:"), v...))}
	}
}

// missing adds a ConfigMap or key that is not there, or is empty. What a key says cannot be spelled like it.
func (b *builder) missing(path, how string) {
	if b.first {
		b.add(path, how, how)
		return
	}
	b.add(path, map[string]bool{how: true}, "")
}

// ConfigMapContent returns the content of a ConfigMap's keys, text and binary alike.
func ConfigMapContent(cm *corev1.ConfigMap) map[string][]byte {
	out := make(map[string][]byte, len(cm.Data)+len(cm.BinaryData))
	for k, v := range cm.Data {
		out[k] = []byte(v)
	}
	for k, v := range cm.BinaryData {
		out[k] = v
	}
	return out
}
