package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/firewall"
)

// ciliumPage is how many of Cilium's policies are listed at once: one may be of 100 KB.
const ciliumPage = 50

// seenNames is what is kept of a policy of Cilium's: its metadata and the digest of its spec.
type seenNames struct {
	metav1.ObjectMeta
	digest string
}

func seenOf(o *unstructured.Unstructured) seenNames {
	return seenNames{metav1.ObjectMeta{Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(), Labels: o.GetLabels(), OwnerReferences: o.GetOwnerReferences()}, firewall.DigestOf(o)}
}

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
func (f *Firewall) storedNames(ctx context.Context) (map[string]map[string]seenNames, error) {
	gvk := firewall.CiliumPolicy()
	if _, err := f.client.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version); meta.IsNoMatchError(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("look for the policies of Cilium: %w", err)
	}
	stored := map[string]map[string]seenNames{}
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
				if stored[o.GetNamespace()] == nil {
					stored[o.GetNamespace()] = map[string]seenNames{}
				}
				stored[o.GetNamespace()][o.GetName()] = seenOf(o)
			}
		}
		if next = list.GetContinue(); next == "" {
			break
		}
	}
	return stored, nil
}

// ciliumOf returns the firewall's policies of Cilium in a namespace, as they were last seen.
func (f *Firewall) ciliumOf(namespace string) map[string]seenNames {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.cilium[namespace])
}

// settleNames writes the policy of Cilium's that opens names to a namespace, and deletes those that are no longer planned.
func (f *Firewall) settleNames(ctx context.Context, plan *firewall.Plan, owner metav1.OwnerReference, namespace string) (obstacle, error) {
	have := f.ciliumOf(namespace)
	if want := plan.Names(namespace); want != nil {
		key := client.ObjectKeyFromObject(want.Object)
		s, there := have[key.Name]
		delete(have, key.Name)
		if there && want.Same(&s, s.digest) && belongs(&s, owner) {
			f.note(key, want.Digest)
		} else if why, err := f.writeNames(ctx, want, owner); why.reason != "" || err != nil {
			return why, err
		}
	}
	for _, s := range have {
		gone := &unstructured.Unstructured{}
		gone.SetGroupVersionKind(firewall.CiliumPolicy())
		gone.SetNamespace(s.Namespace)
		gone.SetName(s.Name)
		if err := f.client.Delete(ctx, gone, client.Preconditions{UID: &s.UID}); client.IgnoreNotFound(err) != nil {
			return hindrance(fmt.Errorf("delete CiliumNetworkPolicy %s/%s: %w", s.Namespace, s.Name, err))
		}
		f.saw(client.ObjectKeyFromObject(gone), nil)
	}
	return obstacle{}, nil
}

// writeNames makes a policy of Cilium's what the plan has, unless it is another's.
func (f *Firewall) writeNames(ctx context.Context, want *firewall.Named, owner metav1.OwnerReference) (obstacle, error) {
	key := client.ObjectKeyFromObject(want.Object)
	if err := f.writes.WaitN(ctx, min(want.Bytes, f.writes.Burst())); err != nil {
		return obstacle{}, fmt.Errorf("wait to write CiliumNetworkPolicy %s: %w", key, err)
	}
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
	f.saw(key, stored)
	if f.wrote(key, want.Digest) {
		f.tellHealed("CiliumNetworkPolicy", key)
	}
	return obstacle{}, nil
}

// saw notes what is stored of a policy of Cilium's; nil: nothing.
func (f *Firewall) saw(key client.ObjectKey, o *unstructured.Unstructured) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if o == nil {
		delete(f.cilium[key.Namespace], key.Name)
		return
	}
	if f.cilium == nil {
		f.cilium = map[string]map[string]seenNames{}
	}
	if f.cilium[key.Namespace] == nil {
		f.cilium[key.Namespace] = map[string]seenNames{}
	}
	f.cilium[key.Namespace][key.Name] = seenOf(o)
}
