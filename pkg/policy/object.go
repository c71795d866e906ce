package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// object is one state of what is judged: as it is to be, or as it was.
type object struct {
	raw  []byte
	meta metav1.ObjectMeta
	work *workload.Workload
	data []reference.Datum
	refs []reference.Reference
}

func decode(gk schema.GroupKind, raw []byte) (*object, error) {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil, nil
	}
	o := &object{raw: raw}
	var m metav1.PartialObjectMetadata
	if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, &m); err != nil {
		if gk == secretKind() {
			return nil, errNoSecret
		}
		return nil, fmt.Errorf("decode metadata: %w", err)
	}
	o.meta = m.ObjectMeta
	var err error
	if o.work, err = workload.Of(gk, raw); err != nil {
		return nil, err
	}
	o.data, err = dataOf(gk, raw)
	return o, err
}

func dataOf(gk schema.GroupKind, raw []byte) ([]reference.Datum, error) {
	switch gk {
	case schema.GroupKind{Kind: "ConfigMap"}:
		var cm corev1.ConfigMap
		if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, &cm); err != nil {
			return nil, fmt.Errorf("decode ConfigMap: %w", err)
		}
		return reference.ConfigMapData(&cm), nil
	case secretKind():
		var s corev1.Secret
		if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, &s); err != nil {
			return nil, errNoSecret
		}
		return reference.SecretData(&s), nil
	}
	return nil, nil
}

func secretKind() schema.GroupKind { return schema.GroupKind{Kind: "Secret"} }

// errNoSecret is all that is said of a Secret that cannot be decoded: the decoder's words could repeat its content.
var errNoSecret = errors.New("decode Secret: it is no valid Secret")

func (o *object) extract(namespace string, w *World) error {
	if o == nil || o.work == nil && o.data == nil {
		return nil
	}
	in := reference.Input{Namespace: namespace, Data: o.data, ConfigMaps: w.ConfigMaps}
	if o.work != nil {
		in.Template = &o.work.Template
	}
	var all bool
	if o.refs, all = reference.ExtractAll(in); !all {
		return UndecidedError{"its variables repeat each other until nobody can tell what they say; write them out"}
	}
	return nil
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

// sameAsStored reports whether an update stores what is stored already: GitOps controllers send such updates every
// few minutes, and nothing may stop them.
func sameAsStored(object, old []byte) bool {
	if len(object) == 0 || len(old) == 0 {
		return false
	}
	a, b := generic(object), generic(old)
	return a != nil && b != nil && reflect.DeepEqual(a, b)
}

// generic decodes an object without what every write changes.
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

// restartedAt is what `kubectl rollout restart` sets. It restarts what runs and changes nothing of it.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

// sameTemplate compares two pod templates apart from restartedAt.
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
	return reflect.DeepEqual(a.Template.Spec, b.Template.Spec) &&
		maps.Equal(a.Template.Labels, b.Template.Labels) &&
		maps.Equal(strip(a.Template.Annotations), strip(b.Template.Annotations))
}

func sameData(a, b []reference.Datum) bool { return reflect.DeepEqual(a, b) }
