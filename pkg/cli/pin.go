package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// identify fills in the UIDs of the objects of the boundary that a window lets be deleted.
func identify(ctx context.Context, c client.Client, w *v1alpha1.ChangeWindow, boundary bool) error {
	missing := change.WithoutUID(&w.Spec, boundary)
	for i := range w.Spec.Scope.Resources {
		r := &w.Spec.Scope.Resources[i]
		if !slices.ContainsFunc(missing, func(m v1alpha1.ScopedResource) bool {
			return m.Group == r.Group && m.Kind == r.Kind && slices.Equal(m.Names, r.Names)
		}) {
			continue
		}
		for _, name := range r.Names {
			uid, err := uidOf(ctx, c, w.Namespace, schema.GroupKind{Group: r.Group, Kind: r.Kind}, string(name))
			if err != nil {
				return err
			}
			r.UIDs = append(r.UIDs, uid)
		}
	}
	return nil
}

func uidOf(ctx context.Context, c client.Client, ns string, gk schema.GroupKind, name string) (string, error) {
	if strings.ContainsAny(name, "*?") {
		return "", fmt.Errorf("%s %q: what the boundary rests on is deleted by its whole name, and by its UID", gk.Kind, name)
	}
	m, err := c.RESTMapper().RESTMapping(gk)
	if err != nil {
		return "", fmt.Errorf("look for %s %q: %w", gk.Kind, name, err)
	}
	if m.Scope.Name() == meta.RESTScopeNameRoot {
		ns = ""
	}
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(m.GroupVersionKind)
	if err := c.Get(ctx, client.ObjectKey{Namespace: ns, Name: name}, o); err != nil {
		return "", fmt.Errorf("look at %s %q, which is to be deleted: %w", gk.Kind, name, err)
	}
	return string(o.UID), nil
}

// orImages lets other images run in the place of those that a plan names, each of the same repository.
func orImages(plan *v1alpha1.Plan, images []string) error {
	for _, image := range images {
		repository, digest, ok := change.ImageName(image)
		if !ok {
			return fmt.Errorf("--or-image %s: name it by digest (image@sha256:…)", image)
		}
		found := false
		for i := range plan.Workloads {
			if e := &plan.Workloads[i]; !e.Rollback {
				found = orImage(e, repository, digest) || found
			}
		}
		if !found {
			return fmt.Errorf("--or-image %s: the manifests run no image of %s, in whose place it could run", image, repository)
		}
	}
	return nil
}

// orImage adds a digest to those of a repository, and reports whether the entry names an image of it.
func orImage(e *v1alpha1.PlannedWorkload, repository, digest string) bool {
	digests := []string{}
	for _, image := range change.Images(e.Fields) {
		if name, d, _ := change.ImageName(image); name == repository {
			digests = append(digests, d)
		}
	}
	if len(digests) == 0 {
		return false
	}
	i := slices.IndexFunc(e.Images, func(l v1alpha1.ImageDigests) bool { return l.Repository == repository })
	if i < 0 {
		e.Images = append(e.Images, v1alpha1.ImageDigests{Repository: repository, Digests: digests})
		i = len(e.Images) - 1
	}
	if l := &e.Images[i]; !slices.Contains(l.Digests, digest) {
		l.Digests = append(l.Digests, digest)
	}
	return true
}
