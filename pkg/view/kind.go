package view

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Kind is one kind of object that the view keeps something of.
type Kind struct {
	schema.GroupVersionKind
	// Name is the plural, for people.
	Name string
	// Namespace is the only namespace whose objects are kept. If it is empty, objects of all namespaces are.
	Namespace string
	// Estate is true for kinds that the estate is compiled from. Later is true for kinds that requests can be judged without,
	// since an older chart gives no right to read them.
	Estate, Later bool
	// Definition is the name of the CustomResourceDefinition of kinds whose objects are declarations: that one vanishes does not show that somebody
	// meant it to go. It is empty for other kinds.
	Definition string
	// Contents is true for kinds that others are reduced by. Uses is true for those others: they are watched once all contents
	// were read.
	Contents, Uses bool

	sample client.Object
	list   client.ObjectList
	reduce func(o runtime.Object) (any, bool)
	put    func(key string, v any) (changed bool)
	drop   func(key string)
	// created is nil for kinds that are no declarations.
	created func(key string) (time.Time, bool)
	count   func() int
}

// Sample returns an empty object of the type that Reduce reads.
func (k *Kind) Sample() client.Object { return k.sample }

// NewList returns an empty list of such objects.
func (k *Kind) NewList() (client.ObjectList, error) {
	l, ok := k.list.DeepCopyObject().(client.ObjectList)
	if !ok {
		return nil, fmt.Errorf("%T is not a list", k.list)
	}
	return l, nil
}

// Reduce returns the part of an object that is kept, which does not hold on to the object. It returns false if nothing is kept.
func (k *Kind) Reduce(o runtime.Object) (any, bool) { return k.reduce(o) }

// Put keeps what Reduce returned, and reports whether it is news.
func (k *Kind) Put(key string, v any) (changed bool) { return k.put(key, v) }

// Drop forgets an object that no longer exists.
func (k *Kind) Drop(key string) { k.drop(key) }

// Created returns when a declaration that is kept was created, and false if none is kept under the key.
func (k *Kind) Created(key string) (time.Time, bool) { return k.created(key) }

// Count returns how many declarations are kept.
func (k *Kind) Count() int { return k.count() }

// Key returns the key that an object is kept under.
func Key(o metav1.Object) string { return Qualified(o.GetNamespace(), o.GetName()) }

// Qualified returns namespace/name, or the name alone for an object without a namespace.
func Qualified(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

// kept returns a Kind whose objects are reduced and kept in a table. gone is called with each value that is dropped; it may
// be nil.
func kept[P client.Object, T any](name string, gvk schema.GroupVersionKind, sample P, list client.ObjectList, t *Table[T],
	reduce func(P) (T, bool), gone func(key string, v T)) *Kind {
	return &Kind{
		GroupVersionKind: gvk, Name: name, sample: sample, list: list,
		reduce: func(o runtime.Object) (any, bool) {
			p, ok := o.(P)
			if !ok {
				return nil, false
			}
			return reduce(p)
		},
		put: func(key string, v any) bool {
			value, ok := v.(T)
			return ok && t.Put(key, value)
		},
		drop: func(key string) {
			if v, ok := t.Delete(key); ok && gone != nil {
				gone(key, v)
			}
		},
	}
}

// always returns a reduction that keeps something of every object.
func always[P client.Object, T any](reduce func(P) T) func(P) (T, bool) {
	return func(p P) (T, bool) { return reduce(p), true }
}

// metadata returns a Kind that needs only the metadata of its objects.
func metadata[T any](name string, gvk schema.GroupVersionKind, t *Table[T], reduce func(*metav1.PartialObjectMetadata) T) *Kind {
	sample := &metav1.PartialObjectMetadata{}
	sample.SetGroupVersionKind(gvk)
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	return kept(name, gvk, sample, list, t, always(reduce), nil)
}

// Add keeps the needed part of an object that was read by other means than a watch. It ignores objects of other kinds.
// ConfigMaps and Secrets come before the workloads that use them.
func (v *View) Add(u *unstructured.Unstructured) error {
	for _, k := range v.kinds {
		if k.GroupVersionKind != u.GroupVersionKind() || k.Namespace != "" && k.Namespace != u.GetNamespace() {
			continue
		}
		o := k.sample.DeepCopyObject()
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, o); err != nil {
			return fmt.Errorf("read %s %q: %w", u.GetKind(), u.GetName(), err)
		}
		if value, keep := k.Reduce(o); keep {
			k.Put(Key(u), value)
		}
	}
	return nil
}
