package controller

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/firewall"
)

// ciliumPage is how many of Cilium's policies are listed at once.
const ciliumPage = 500

// lookAtCilium reads whether Cilium's policies are served and, if so, those of the firewall. They are few and are not watched: the kind may come
// and go, so they are listed as often as the firewall is planned.
func (f *Firewall) lookAtCilium(ctx context.Context) (served bool, err error) {
	stored, err := f.storedNames(ctx)
	if err != nil {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cilium = stored
	return stored != nil, nil
}

// storedNames lists the firewall's policies of Cilium; nil: the kind is not served.
func (f *Firewall) storedNames(ctx context.Context) (map[string]*unstructured.Unstructured, error) {
	gvk := firewall.CiliumPolicy()
	if _, err := f.client.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version); meta.IsNoMatchError(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("look for the policies of Cilium: %w", err)
	}
	stored := map[string]*unstructured.Unstructured{}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(gvk)
	for next := ""; ; {
		err := f.client.List(ctx, list, client.MatchingLabels{firewall.LabelManagedBy: firewall.ManagedBy}, client.HasLabels{firewall.LabelFirewall}, client.Limit(ciliumPage), client.Continue(next))
		switch {
		case meta.IsNoMatchError(err), apierrors.IsNotFound(err): // it is no longer served
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("list the firewall's policies of Cilium: %w", err)
		}
		for i := range list.Items {
			o := &list.Items[i]
			if firewall.Owned(o) {
				stored[o.GetNamespace()+"/"+o.GetName()] = o.DeepCopy()
			}
		}
		if next = list.GetContinue(); next == "" {
			break
		}
	}
	return stored, nil
}

// ciliumOf returns the firewall's policies of Cilium in a namespace, as they were last seen.
func (f *Firewall) ciliumOf(namespace string) map[string]*unstructured.Unstructured {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]*unstructured.Unstructured{}
	for key, o := range f.cilium {
		if o.GetNamespace() == namespace {
			out[key] = o
		}
	}
	return out
}

// settleNames writes the policy of Cilium's that opens names to a namespace, and deletes those that are no longer planned.
func (f *Firewall) settleNames(ctx context.Context, plan *firewall.Plan, owner metav1.OwnerReference, namespace string) (obstacle, error) {
	have := f.ciliumOf(namespace)
	if want := plan.Names(namespace); want != nil {
		key := client.ObjectKeyFromObject(want.Object)
		s := have[key.String()]
		delete(have, key.String())
		if s != nil && firewall.SameNames(s, want) && belongs(s, owner) {
			f.note(key, want.Digest)
		} else if why, err := f.writeNames(ctx, want, owner); why.reason != "" || err != nil {
			return why, err
		}
	}
	for key, s := range have {
		uid := s.GetUID()
		if err := f.client.Delete(ctx, s.DeepCopy(), client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
			return hindrance(fmt.Errorf("delete CiliumNetworkPolicy %s: %w", key, err))
		}
		f.saw(key, nil)
	}
	return obstacle{}, nil
}

// writeNames makes a policy of Cilium's what the plan has, unless it is another's.
func (f *Firewall) writeNames(ctx context.Context, want *firewall.Named, owner metav1.OwnerReference) (obstacle, error) {
	key := client.ObjectKeyFromObject(want.Object)
	stored := &unstructured.Unstructured{}
	stored.SetGroupVersionKind(want.Object.GroupVersionKind())
	err := f.client.Get(ctx, key, stored)
	switch {
	case apierrors.IsNotFound(err):
		stored = want.Object.DeepCopy()
		stored.SetOwnerReferences([]metav1.OwnerReference{owner})
		err = f.client.Create(ctx, stored, client.FieldOwner(firewaller))
	case err != nil:
		return obstacle{}, fmt.Errorf("read CiliumNetworkPolicy %s: %w", key, err)
	case !firewall.Owned(stored) && !writtenBy(stored):
		return obstacle{reasonForeign, fmt.Sprintf("CiliumNetworkPolicy %s is another's and has a name that Firebreak needs, so it is left alone; delete or rename it", key)}, nil
	default:
		stored.SetLabels(joined(stored.GetLabels(), want.Object.GetLabels()))
		stored.Object["spec"] = want.Object.DeepCopy().Object["spec"]
		delete(stored.Object, "specs") // it would count beside spec
		stored.SetOwnerReferences(append(slices.DeleteFunc(stored.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.Kind == owner.Kind && o.Name == owner.Name }), owner))
		err = f.client.Update(ctx, stored, client.FieldOwner(firewaller))
	}
	if err != nil {
		return hindrance(fmt.Errorf("write CiliumNetworkPolicy %s: %w", key, err))
	}
	f.saw(key.String(), stored)
	if f.wrote(key, want.Digest) {
		f.tellHealed("CiliumNetworkPolicy", key)
	}
	return obstacle{}, nil
}

// saw notes what is stored of a policy of Cilium's; nil: nothing.
func (f *Firewall) saw(key string, o *unstructured.Unstructured) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if o == nil {
		delete(f.cilium, key)
		return
	}
	if f.cilium == nil {
		f.cilium = map[string]*unstructured.Unstructured{}
	}
	f.cilium[key] = o
}
