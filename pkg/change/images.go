package change

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// ImageName splits an image that is named by digest into its repository, without a tag, and the digest; false: it is not named by digest.
func ImageName(image string) (repository, digest string, ok bool) {
	name, digest, ok := strings.Cut(image, "@")
	if !ok || !strings.HasPrefix(digest, "sha256:") {
		return "", "", false
	}
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name = name[:i]
	}
	return name, digest, true
}

// Images returns the images that the fields of a plan name by digest, each once.
func Images(fields []v1alpha1.PlannedField) []string {
	var out []string
	for _, f := range fields {
		if image, ok := imageIn(f); ok && !slices.Contains(out, image) {
			out = append(out, image)
		}
	}
	return out
}

// imageIn returns the image that a field names.
func imageIn(f v1alpha1.PlannedField) (string, bool) {
	if f.Path != "image" && !strings.HasSuffix(f.Path, ".image") {
		return "", false
	}
	var image string
	if json.Unmarshal([]byte(f.Value), &image) != nil {
		return "", false
	}
	_, _, ok := ImageName(image)
	return image, ok
}

// asPinned returns a plan by the algorithm of an entry, in which each image that the entry lists is replaced by the listed one that the entry names
// at its place: any of them may run there. It is nil if this version does not know the algorithm.
func asPinned(e *v1alpha1.PlannedWorkload, p *Plan) *Plan {
	by := p.By(e.Digest)
	if by == nil || len(e.Images) == 0 || by.Digest == e.Digest {
		return by
	}
	out := *by
	out.Fields = slices.Clone(by.Fields)
	pinned := byPath(e.Fields)
	for i, f := range out.Fields {
		runs, a := listed(e.Images, f)
		approved, b := listed(e.Images, pinned[f.Path])
		if a && b && runs == approved {
			out.Fields[i] = pinned[f.Path]
		}
	}
	version, _, _ := strings.Cut(e.Digest, ":")
	out.Digest = fieldsDigest(version, out.Fields)
	return &out
}

// listed returns the repository of the image that a field names, if an entry lists it.
func listed(images []v1alpha1.ImageDigests, f v1alpha1.PlannedField) (repository string, ok bool) {
	image, ok := imageIn(f)
	if !ok {
		return "", false
	}
	name, digest, _ := ImageName(image)
	return name, slices.ContainsFunc(images, func(l v1alpha1.ImageDigests) bool { return l.Repository == name && slices.Contains(l.Digests, digest) })
}
