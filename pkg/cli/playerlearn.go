package cli

import (
	"encoding/json"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/auditlog"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// learn keeps what a write says of the cluster, for what comes after it.
func (p *player) learn(ev *auditlog.Event, r *auditlog.Request, key string) {
	if ev.ObjectRef.Subresource != "" && ev.ObjectRef.Subresource != "status" {
		p.before.Remove(key) // the log says what was sent, and not what the object is now
		return
	}
	if r.Operation == policy.Delete {
		p.before.Remove(key)
		p.forget(r)
		return
	}
	if len(r.After) == 0 || len(r.After) > mostOfOne {
		p.before.Remove(key)
		return
	}
	key = keyOf(ev, r.Name) // which may have been generated
	p.before.Remove(key)
	p.before.Add(key, slices.Clone(r.After))
	for p.bytes += len(r.After); p.bytes > mostRemembered && p.before.Len() > 1; {
		p.before.RemoveOldest()
	}
	p.keep(r)
}

func configMapKind() schema.GroupVersionKind { return corev1.SchemeGroupVersion.WithKind("ConfigMap") }

// contentOf returns how many bytes are held of a ConfigMap; 0 for any other object.
func (p *player) contentOf(r *auditlog.Request) (n int) {
	if r.Kind == configMapKind() {
		for _, v := range p.known.state.ConfigMaps[r.Namespace+"/"+r.Name] {
			n += len(v)
		}
	}
	return n
}

// kindIn returns the kind of the view that an object is of, or nil.
func (p *player) kindIn(r *auditlog.Request) *view.Kind {
	for _, k := range p.known.built.Kinds() {
		if k.GroupVersionKind == r.Kind && (k.Namespace == "" || k.Namespace == r.Namespace) {
			return k
		}
	}
	return nil
}

// keep has the view and the change state hold an object.
func (p *player) keep(r *auditlog.Request) {
	kind := p.kindIn(r)
	if kind == nil && r.Kind.Group != v1alpha1.GroupName && r.Kind != configMapKind() && r.Kind.Kind != "CustomResourceDefinition" {
		return
	}
	u := &unstructured.Unstructured{}
	if json.Unmarshal(r.After, &u.Object) != nil {
		return
	}
	key := r.Namespace + "/" + r.Name
	made, known := p.made[key]
	p.drop(r)
	if r.Kind == configMapKind() && p.contents+len(r.After) > mostRemembered {
		return // what it holds is not known, and a run that pins it is refused
	}
	if r.Kind == v1alpha1.GVK(v1alpha1.KindChangeExecution) {
		if !known {
			made = r.Now
		}
		p.made[key] = made
	}
	if p.known.built.Add(u) != nil || p.known.sort(u) != nil {
		return
	}
	p.contents += p.contentOf(r)
	if r.Kind.Kind == "Namespace" {
		p.known.labels[u.GetName()] = u.GetLabels()
	}
	if kind != nil && kind.Estate {
		p.recompile()
	}
}

// forget has the view and the change state forget an object.
func (p *player) forget(r *auditlog.Request) {
	kind := p.kindIn(r)
	if r.Kind.Kind == "Namespace" {
		return // it goes only when all in it has gone, and until then it is what it was
	}
	if kind != nil {
		kind.Drop(view.Qualified(r.Namespace, r.Name))
	}
	p.drop(r)
	if kind != nil && kind.Estate {
		p.recompile()
	}
}

// drop takes an object out of the change state.
func (p *player) drop(r *auditlog.Request) {
	s := p.known.state
	switch r.Kind {
	case v1alpha1.GVK(v1alpha1.KindChangeWindow):
		s.Windows = slices.DeleteFunc(s.Windows, func(o v1alpha1.ChangeWindow) bool { return o.Name == r.Name && o.Namespace == r.Namespace })
	case v1alpha1.GVK(v1alpha1.KindChangeApproval):
		s.Approvals = slices.DeleteFunc(s.Approvals, func(o v1alpha1.ChangeApproval) bool { return o.Name == r.Name && o.Namespace == r.Namespace })
	case v1alpha1.GVK(v1alpha1.KindChangeDelegation):
		s.Delegations = slices.DeleteFunc(s.Delegations, func(o v1alpha1.ChangeDelegation) bool { return o.Name == r.Name && o.Namespace == r.Namespace })
	case v1alpha1.GVK(v1alpha1.KindChangeExecution):
		s.Executions = slices.DeleteFunc(s.Executions, func(o v1alpha1.ChangeExecution) bool { return o.Name == r.Name && o.Namespace == r.Namespace })
		delete(p.made, r.Namespace+"/"+r.Name)
	case v1alpha1.GVK(v1alpha1.KindChangeFreeze):
		s.Freezes = slices.DeleteFunc(s.Freezes, func(o v1alpha1.ChangeFreeze) bool { return o.Name == r.Name })
	case configMapKind():
		p.contents -= p.contentOf(r)
		delete(s.ConfigMaps, r.Namespace+"/"+r.Name)
		delete(p.known.large, large{reference.Via{Kind: r.Kind.Kind, Name: r.Name}, r.Namespace})
	}
}
