package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/budget"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// object is one state of the judged object: as it is to be, or as it was.
type object struct {
	raw  []byte
	meta metav1.ObjectMeta
	// passes counts how often the JSON was decoded.
	passes int
	// fields caches the result of generic. It is only read.
	fields map[string]any
	work   *workload.Workload
	data   []reference.DataKey
	// tree holds the fields of an object that is read as a whole, and embedded the templates in it.
	tree     map[string]any
	embedded []workload.Template
	refs     []reference.Reference
}

// decode reads an object, or returns nil if there is none. whole is true for a kind that is read for every text in it.
func decode(gk schema.GroupKind, raw []byte, whole bool, b *budget.Budget) (*object, error) {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil, nil
	}
	b.Sent(len(raw))
	o := &object{raw: raw}
	if workload.HasTemplate(gk) {
		return decodeWorkload(gk, o, b)
	}
	o.passes++
	var err error
	if o.meta, err = workload.Metadata(raw); err != nil {
		if gk == secretKind() {
			return nil, errNoSecret
		}
		return nil, err
	}
	if gk == configMapKind() || gk == secretKind() {
		o.passes++
	}
	if o.data, err = dataOf(gk, raw); err != nil {
		return o, err
	}
	if !whole {
		return o, nil
	}
	o.passes++
	if err := json.Unmarshal(raw, &o.tree); err != nil {
		return nil, fmt.Errorf("decode %s: %w", gk.Kind, err)
	}
	workload.Unfold(o.tree, b)
	if !builtIn(gk.Group) {
		workload.Fill(o.tree, b)
		o.embedded = workload.Embedded(o.tree, b)
	}
	return o, nil
}

// decodeWorkload reads an object with a pod template, in one pass. One that holds too much keeps its metadata, so that it can be deleted.
func decodeWorkload(gk schema.GroupKind, o *object, b *budget.Budget) (*object, error) {
	var err error
	o.passes++
	if o.work, err = workload.OfWithin(gk, o.raw, b); b.Exceeded() != "" {
		if o.meta, err = workload.Metadata(o.raw); err != nil {
			return nil, err
		}
		return o, tooMuch(b.Exceeded())
	}
	if err != nil {
		return nil, err
	}
	o.meta = o.work.Meta
	if gk.Kind == "StatefulSet" {
		o.passes++
		o.tree = claimTemplates(o.raw)
	}
	return o, nil
}

// generic returns the fields of an object without those that every write changes, or nil if it is not an object. Callers must not write to
// them.
func (o *object) generic() map[string]any {
	if o.fields == nil {
		o.passes++
		o.fields = generic(o.raw)
	}
	return o.fields
}

// claimTemplates returns the volume claim templates of a StatefulSet, as a tree.
func claimTemplates(raw []byte) map[string]any {
	var set struct {
		Spec struct {
			VolumeClaimTemplates []map[string]any `json:"volumeClaimTemplates"`
		} `json:"spec"`
	}
	if json.Unmarshal(raw, &set) != nil || len(set.Spec.VolumeClaimTemplates) == 0 {
		return nil
	}
	list := make([]any, len(set.Spec.VolumeClaimTemplates))
	for i, c := range set.Spec.VolumeClaimTemplates {
		list[i] = map[string]any{"spec": c["spec"]}
	}
	return map[string]any{"spec": map[string]any{"volumeClaimTemplates": list}}
}

// whole reports whether an object of a kind is read for every text in it: routes, volumes, accounts, and all custom resources. Objects of
// other kinds hold no references, or their rules read them separately.
func whole(r *Request) bool {
	gk := r.Kind.GroupKind()
	switch {
	case r.SubResource != "" || builtIn(gk.Group) && workload.HasTemplate(gk) || gk.Group == v1alpha1.GroupName:
		return false
	case gk.Group == "":
		return slices.Contains([]string{"Service", "Endpoints", "PersistentVolume", "PersistentVolumeClaim", "ServiceAccount"}, gk.Kind)
	case builtIn(gk.Group):
		return slices.Contains([]string{"networking.k8s.io", "extensions", "discovery.k8s.io", "storage.k8s.io", "resource.k8s.io"}, gk.Group)
	}
	return true
}

// builtIn reports whether a group is one of Kubernetes' own.
func builtIn(group string) bool {
	switch group {
	case "", "apps", "batch", "autoscaling", "policy", "extensions", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io",
		"authentication.k8s.io", "authorization.k8s.io", "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io",
		"flowcontrol.apiserver.k8s.io", "internal.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io", "rbac.authorization.k8s.io", "resource.k8s.io",
		"scheduling.k8s.io", "storage.k8s.io", "storagemigration.k8s.io", "metrics.k8s.io":
		return true
	}
	return false
}

func dataOf(gk schema.GroupKind, raw []byte) ([]reference.DataKey, error) {
	switch gk {
	case schema.GroupKind{Kind: "ConfigMap"}:
		cm, err := workload.Decode[corev1.ConfigMap](raw)
		if err != nil {
			return nil, fmt.Errorf("decode ConfigMap: %w", err)
		}
		return reference.ConfigMapData(cm), nil
	case secretKind():
		s, err := workload.Decode[corev1.Secret](raw)
		if err != nil {
			return nil, errNoSecret
		}
		return reference.SecretData(s), nil
	}
	return nil, nil
}

func configMapKind() schema.GroupKind { return schema.GroupKind{Kind: "ConfigMap"} }
func secretKind() schema.GroupKind    { return schema.GroupKind{Kind: "Secret"} }

// errNoSecret is the only error for a Secret that cannot be decoded: the decoder's words could repeat its content.
var errNoSecret = errors.New("decode Secret: it is not a valid Secret")

// read finds the references in an object.
func (c *PreparedRequest) read(o *object, b *budget.Budget) error {
	if o == nil {
		return nil
	}
	in := c.input()
	in.Budget = b
	in.Data, in.Object, in.Embedded, in.Annotations = o.data, o.tree, o.embedded, o.meta.Annotations
	if o.work != nil {
		in.Template = &o.work.Template
	}
	found := reference.ExtractAll(in)
	if found.Limit != "" {
		return tooMuch(found.Limit)
	}
	if len(found.Unread) > 0 {
		c.lack(Missing{Contents: &MissingContents{c.req.Namespace, found.Unread}})
	}
	o.refs = found.References
	return nil
}

// input returns what all readers of the request share: its budget, the known contents of the ConfigMaps and Secrets that it uses, and
// which of the targets that it names matter.
func (c *PreparedRequest) input() reference.Input {
	return reference.Input{
		Namespace: c.req.Namespace, Kind: c.req.Kind.GroupKind(), Budget: c.budget, Known: c.known, Declared: c.est.Declares, Word: c.est.MayName(c.req.Namespace),
		ConfigMaps: c.contents(configMapKind().Kind, c.view.ConfigMaps), Secrets: c.contents(secretKind().Kind, c.view.Secrets),
	}
}

// contents returns a look-up of contents: those that were read for this request, else those that are remembered.
func (c *PreparedRequest) contents(kind string, remembered func(namespace, name string) (reference.Contents, bool)) func(namespace, name string) (reference.Contents, bool) {
	return func(namespace, name string) (reference.Contents, bool) {
		if read, ok := c.req.Facts.Contents[reference.Via{Kind: kind, Name: name}]; ok {
			return read, true
		}
		return remembered(namespace, name)
	}
}

// tooMuch returns the error for an object that holds too much to be read.
func tooMuch(l budget.Limit) UndecidedError {
	return UndecidedError{fmt.Sprintf("it holds %s, so nobody can tell what it names; split it, or take out of it what no program reads", l)}
}

func (o *object) labels() map[string]string {
	if o == nil {
		return nil
	}
	return o.meta.Labels
}

// controller returns the owner reference that controls the object.
func (o *object) controller() *metav1.OwnerReference {
	if o == nil {
		return nil
	}
	return metav1.GetControllerOfNoCopy(&o.meta)
}

// generic decodes an object, without the fields that every write changes. It returns nil if it is not an object.
func generic(raw []byte) map[string]any {
	var m map[string]any
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	if meta, ok := m["metadata"].(map[string]any); ok {
		for _, k := range []string{"managedFields", "resourceVersion", "generation"} {
			delete(meta, k)
		}
	}
	return m
}

// restartedAt is the annotation that `kubectl rollout restart` sets. It restarts the Pods and changes nothing of them.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

// sameTemplate reports whether two pod templates are the same apart from restartedAt. Of a Pod, only the spec counts: labels and
// annotations on a Pod that exists start nothing.
func sameTemplate(a, b *workload.Workload) bool {
	if a == nil || b == nil {
		return a == b
	}
	strip := func(m map[string]string) map[string]string {
		if _, ok := m[restartedAt]; !ok {
			return m
		}
		m = maps.Clone(m)
		delete(m, restartedAt)
		return m
	}
	if a.Template.Path == "" {
		return reflect.DeepEqual(a.Template.Spec, b.Template.Spec)
	}
	return reflect.DeepEqual(a.Template.Spec, b.Template.Spec) &&
		maps.Equal(a.Template.Labels, b.Template.Labels) &&
		maps.Equal(strip(a.Template.Annotations), strip(b.Template.Annotations))
}

func sameData(a, b []reference.DataKey) bool { return reflect.DeepEqual(a, b) }
