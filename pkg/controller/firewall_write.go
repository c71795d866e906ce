package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/firewall"
)

// digestKept is the annotation under which the cache keeps the digest of a policy, in the place of its spec. It is never stored.
const digestKept = "firebreak.dev/kept-digest"

// FirewallCache returns how the manager's cache keeps NetworkPolicies: those of the firewall only, each reduced to its metadata and a digest.
// A cluster may have 250 MB of them.
func FirewallCache() (map[client.Object]cache.ByObject, error) {
	ours := labels.NewSelector()
	for _, r := range []struct {
		key    string
		op     selection.Operator
		values []string
	}{{firewall.LabelManagedBy, selection.Equals, []string{firewall.ManagedBy}}, {firewall.LabelFirewall, selection.Exists, nil}} {
		one, err := labels.NewRequirement(r.key, r.op, r.values)
		if err != nil {
			return nil, fmt.Errorf("select the policies of the firewall: %w", err)
		}
		ours = ours.Add(*one)
	}
	return map[client.Object]cache.ByObject{&networkingv1.NetworkPolicy{}: {Label: ours, Transform: keepDigest}}, nil
}

// keepDigest replaces the spec of a policy by its digest.
func keepDigest(o any) (any, error) {
	p, ok := o.(*networkingv1.NetworkPolicy)
	if !ok {
		return o, nil
	}
	p.Annotations = map[string]string{digestKept: firewall.Digest(&p.Spec)}
	p.Spec, p.ManagedFields = networkingv1.NetworkPolicySpec{}, nil
	return p, nil
}

// asPlanned reports whether a policy, as the cache keeps it, is what the plan has.
func asPlanned(p *networkingv1.NetworkPolicy, want firewall.Planned, owner metav1.OwnerReference) bool {
	return firewall.Owned(p) && p.Annotations[digestKept] == want.Digest && p.Labels[firewall.LabelFirewall] == want.Labels[firewall.LabelFirewall] && belongs(p, owner)
}

// belongs reports whether a policy has an owner.
func belongs(p metav1.Object, owner metav1.OwnerReference) bool {
	return slices.ContainsFunc(p.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.UID == owner.UID })
}

// write makes a policy what the plan has, as far as it is Firebreak's own. It returns an obstacle for what a person must do something about.
func (f *Firewall) write(ctx context.Context, want firewall.Planned, owner metav1.OwnerReference) (obstacle, error) {
	key := client.ObjectKeyFromObject(want.NetworkPolicy)
	if err := f.writes.WaitN(ctx, min(want.Size(), f.writes.Burst())); err != nil {
		return obstacle{}, fmt.Errorf("wait to write NetworkPolicy %s: %w", key, err)
	}
	var stored networkingv1.NetworkPolicy
	err := f.client.Get(ctx, key, &stored)
	switch {
	case apierrors.IsNotFound(err):
		o := want.DeepCopy()
		o.OwnerReferences = []metav1.OwnerReference{owner}
		err = f.client.Create(ctx, o, client.FieldOwner(firewaller))
	case err != nil:
		return obstacle{}, fmt.Errorf("read NetworkPolicy %s: %w", key, err)
	case !firewall.Owned(&stored) && !writtenBy(&stored):
		return obstacle{reasonForeign, fmt.Sprintf("NetworkPolicy %s is another's and has a name that Firebreak needs, so it is left alone; delete or rename it", key)}, nil
	default:
		stored.Labels = joined(stored.Labels, want.Labels)
		stored.Spec = want.Spec
		stored.OwnerReferences = append(slices.DeleteFunc(stored.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Kind == owner.Kind && o.Name == owner.Name }), owner)
		err = f.client.Update(ctx, &stored, client.FieldOwner(firewaller))
	}
	if err != nil {
		return hindrance(fmt.Errorf("write NetworkPolicy %s: %w", key, err))
	}
	if f.wrote(key, want.Digest) {
		f.tellHealed("NetworkPolicy", key)
	}
	return obstacle{}, nil
}

// tellHealed tells that a policy was put back.
func (f *Firewall) tellHealed(kind string, key client.ObjectKey) {
	f.healed.Inc()
	f.log.Info("put a policy of the firewall back, since somebody had deleted or changed it", "kind", kind, "namespace", key.Namespace, "name", key.Name)
	f.events.Event(about(key.Namespace), corev1.EventTypeWarning, "FirewallHealed", fmt.Sprintf("%s %s was put back: somebody had deleted or changed it. Set firewall.reconcile=false if that is what you want.", kind, key))
}

// remove deletes a policy that is no longer planned.
func (f *Firewall) remove(ctx context.Context, p *networkingv1.NetworkPolicy) (obstacle, error) {
	if !firewall.Owned(p) {
		return obstacle{}, nil
	}
	key := client.ObjectKeyFromObject(p)
	err := f.client.Delete(ctx, &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}}, client.Preconditions{UID: &p.UID})
	if client.IgnoreNotFound(err) != nil {
		return hindrance(fmt.Errorf("delete NetworkPolicy %s: %w", key, err))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.written, key.String())
	return obstacle{}, nil
}

// writtenBy reports whether the firewall has written a policy, so that somebody who takes its labels away does not make it another's.
func writtenBy(p metav1.Object) bool {
	return slices.ContainsFunc(p.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool { return m.Manager == firewaller })
}

// hindrance tells a refusal, which a person must do something about, from a failure that passes. A namespace that goes needs no policy.
func hindrance(err error) (obstacle, error) {
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), apierrors.IsNotFound(err):
		return obstacle{}, nil
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsRequestEntityTooLargeError(err):
		return obstacle{reasonRefused, err.Error()}, nil
	}
	return obstacle{}, err
}

// note notes that a policy is stored as it is planned.
func (f *Firewall) note(policy client.ObjectKey, digest string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.written[policy.String()] = digest
}

// wrote notes that a policy was written, and reports whether it had been stored like that before.
func (f *Firewall) wrote(policy client.ObjectKey, digest string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.written[policy.String()]
	f.written[policy.String()] = digest
	return before == digest
}

// tell tells of an obstacle by an Event of the namespace.
func (f *Firewall) tell(namespace string, why obstacle) {
	f.log.Info("the policies of a namespace are not in place", "namespace", namespace, "reason", why.reason, "message", why.message)
	f.events.Event(about(namespace), corev1.EventTypeWarning, "Firewall"+why.reason, clip(why.message, maxEvent))
}

func about(namespace string) *corev1.ObjectReference {
	return &corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: namespace}
}

// forget drops what is noted of namespaces that are gone.
func (f *Firewall) forget(plan *firewall.Plan) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.written, func(key, _ string) bool {
		namespace, _, _ := strings.Cut(key, "/")
		return len(plan.Planned(namespace)) == 0
	})
}
