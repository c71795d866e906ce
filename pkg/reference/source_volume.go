package reference

import (
	"encoding/json"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// volume finds what the volumes of a workload are: servers, portals, handles, shares, claims.
func volume(in *Input) []Reference {
	var out []Reference
	for _, t := range in.templates() {
		for i := range t.Spec.Volumes {
			path := workload.Item(t.SpecPath()+".volumes", i)
			out = append(out, in.volumeSource(path, &t.Spec.Volumes[i].VolumeSource)...)
		}
	}
	for i := range out {
		out[i].Use = Stores
	}
	return out
}

// volumeSource reads every text of a source that is no Kubernetes object of its own, as the walk over custom resources
// reads theirs: drivers take whatever they like.
func (r *reader) volumeSource(path string, v *corev1.VolumeSource) []Reference {
	if v.PersistentVolumeClaim != nil {
		name := v.PersistentVolumeClaim.ClaimName
		return r.at(path+".persistentVolumeClaim.claimName", name, r.keep(nil, Target{Kind: Claim, Name: name, Unambiguous: true}))
	}
	if v.ConfigMap != nil || v.Secret != nil || v.Projected != nil || v.EmptyDir != nil || v.DownwardAPI != nil || v.Image != nil || v.HostPath != nil {
		return nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var tree map[string]any
	if json.Unmarshal(raw, &tree) != nil {
		return nil
	}
	w := walker{reader: r, use: Stores}
	w.node(tree, segments(path), "", 0)
	// Secrets by which a volume is opened are another source's.
	return slices.DeleteFunc(w.out, func(r Reference) bool { return r.Kind == Secret })
}
