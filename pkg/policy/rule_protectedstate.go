package policy

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// protectionDemand returns a demand for a request that leads to the deletion of protected state. It is barred for Kubernetes' own
// controllers: what they delete has been decided before.
func protectionDemand(c *PreparedRequest) *Demand {
	envs, why := c.endangers()
	if why == "" {
		return nil
	}
	return &Demand{
		Why: why, Environments: envs, Operation: c.operation(), Barred: c.requester.Controller,
		ClusterWide: c.req.Namespace == "" || c.isKind(namespaceKind()),
	}
}

// protectedState objects to a request that leads to the deletion of protected state, unless an open window covers it. A deletion by the
// garbage collector or the namespace controller is reported and never denied: denying it wedges the namespace.
func protectedState(c *PreparedRequest, j *Judgement) []Finding {
	d := c.demanded(v1alpha1.RuleProtectedState)
	switch {
	case d == nil:
		return nil
	case d.Barred:
		return []Finding{{
			Rule: d.rule, Action: weaker(estate.Strictest(d.Environments, d.rule), v1alpha1.ActionAudit),
			Target: c.req.Name, Environment: d.Environments[0].Name, Message: fmt.Sprintf("this %s in %s, for %s", d.Why, named(d.Environments), c.req.Username()),
		}}
	case j.spoken(d):
		return nil
	}
	return []Finding{c.demandFinding(d, j, fmt.Sprintf("this %s in %s", d.Why, named(d.Environments)))}
}

// endangers says, as a predicate, how a request leads to the deletion of protected state, and in which environments.
func (c *PreparedRequest) endangers() ([]*estate.Environment, string) {
	if c.outsider || c.req.SubResource != "" || c.req.Operation == Create || c.req.Operation == Connect || c.old == nil {
		return nil, ""
	}
	if c.isKind(namespaceKind()) && c.req.Operation == Delete && c.req.Name == c.est.FirebreakNamespace && len(c.est.Production()) > 0 {
		return c.est.Production(), fmt.Sprintf("deletes namespace %q, in which Firebreak runs and the record of what was done in production lies,", c.req.Name)
	}
	envs := c.protecting()
	switch {
	case len(envs) == 0 && c.req.Operation == Delete:
		return c.deletesOwned()
	case len(envs) == 0:
		return nil, ""
	case c.req.Operation == Delete:
		return envs, "deletes protected state"
	}
	return envs, c.exposes(envs)
}

// deletesOwned says, as a predicate, which protected state the garbage collector deletes with the object, unless the request orphans it.
func (c *PreparedRequest) deletesOwned() ([]*estate.Environment, string) {
	inProduction := c.req.Namespace == "" || len(c.Production()) > 0 // an owner lies in the namespace of its dependents, or in none
	if !inProduction || c.old.meta.UID == "" || c.orphans() {
		return nil, ""
	}
	owners := []types.UID{c.old.meta.UID}
	for seen := 0; seen < len(owners) && seen < maxOwners; seen++ {
		for _, held := range c.view.Dependents(owners[seen]) {
			for _, e := range c.est.NamespaceOrName(held.Namespace).Production() {
				if protects(e, held.Kind, held.Labels) {
					return []*estate.Environment{e}, fmt.Sprintf("deletes %s with protected %s %q, which it owns", Describe(*c.req), held.Kind, held.Name)
				}
			}
			owners = append(owners, held.UID)
		}
	}
	return nil, ""
}

// orphans reports whether a deletion leaves the dependents of its object behind.
func (c *PreparedRequest) orphans() bool {
	var o metav1.DeleteOptions
	_ = kjson.UnmarshalCaseSensitivePreserveInts(c.req.Options, &o) // options that cannot be read orphan nothing
	old := o.OrphanDependents                                       //nolint:staticcheck // deprecated, and still served
	return o.PropagationPolicy != nil && *o.PropagationPolicy == metav1.DeletePropagationOrphan || old != nil && *old
}

// maxOwners is how many owners are followed down from the deleted object.
const maxOwners = 256

// protecting returns the Production environments that protect the object as it was. A namespace of production's holds every object in it,
// a CustomResourceDefinition all objects of its kind, and a volume the state of its claim.
func (c *PreparedRequest) protecting() []*estate.Environment {
	envs := c.Production()
	if c.req.Namespace == "" {
		envs = c.est.Production()
	}
	var out []*estate.Environment
	for _, e := range envs {
		switch {
		case c.isKind(namespaceKind()) && c.req.Operation == Delete,
			c.isKind(definitionKind()) && c.req.Operation == Delete && holdsKind(e, c.old),
			protects(e, c.req.Kind.Kind, c.old.labels()),
			c.isKind(statefulSetKind()) && c.req.Operation == Update && protectsAny(e, claimLabels(c.old)), // the update may let go of them
			c.isKind(volumeKind()) && c.protectsClaim(e):
			out = append(out, e)
		}
	}
	return out
}

func definitionKind() schema.GroupKind {
	return schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}
}
func statefulSetKind() schema.GroupKind { return schema.GroupKind{Group: "apps", Kind: "StatefulSet"} }
func volumeKind() schema.GroupKind      { return schema.GroupKind{Kind: "PersistentVolume"} }

const claim = "PersistentVolumeClaim"

// holdsKind reports whether an environment protects objects of the kind that a CustomResourceDefinition defines.
func holdsKind(e *estate.Environment, o *object) bool {
	var crd struct {
		Spec struct {
			Names struct {
				Kind string `json:"kind"`
			} `json:"names"`
		} `json:"spec"`
	}
	_ = kjson.UnmarshalCaseSensitivePreserveInts(o.raw, &crd) // one without a kind defines nothing
	return slices.Contains(estate.ProtectedStateOf(e.Spec().ChangeControl).Kinds, crd.Spec.Names.Kind)
}

// claimLabels returns the labels of the claims that a StatefulSet makes: those of its template, and those it selects by.
func claimLabels(o *object) []map[string]string {
	var set appsv1.StatefulSet
	_ = kjson.UnmarshalCaseSensitivePreserveInts(o.raw, &set) // it was decoded before
	out := make([]map[string]string, len(set.Spec.VolumeClaimTemplates))
	for i := range set.Spec.VolumeClaimTemplates {
		out[i] = map[string]string{}
		maps.Copy(out[i], set.Spec.VolumeClaimTemplates[i].Labels)
		if set.Spec.Selector != nil {
			maps.Copy(out[i], set.Spec.Selector.MatchLabels)
		}
	}
	return out
}

func protectsAny(e *estate.Environment, claims []map[string]string) bool {
	return slices.ContainsFunc(claims, func(l map[string]string) bool { return protects(e, claim, l) })
}

// protectsClaim reports whether an environment protects the claim that a volume is bound to.
func (c *PreparedRequest) protectsClaim(e *estate.Environment) bool {
	ref := claimOf(c.old)
	if ref == nil {
		return false
	}
	held, known := c.view.VolumeClaim(ref.Namespace, ref.Name)
	same := ref.UID == "" || ref.UID == held.UID // a claim that was created again has another volume
	owned := slices.Contains(c.est.NamespaceOrName(ref.Namespace).Production(), e)
	return known && same && owned && protects(e, claim, held.Labels)
}

func protects(e *estate.Environment, kind string, l map[string]string) bool {
	p := estate.ProtectedStateOf(e.Spec().ChangeControl)
	if !slices.Contains(p.Kinds, kind) {
		return false
	}
	s, err := metav1.LabelSelectorAsSelector(p.Selector)
	return err != nil || s.Matches(labels.Set(l)) // a selector that cannot be read protects
}

// exposes says how an update takes protection away: it removes the label, adds an owner with which the garbage collector deletes the
// object, no longer keeps volumes, or takes a volume from its claim. It is empty if the update does none of these.
func (c *PreparedRequest) exposes(envs []*estate.Environment) string {
	for _, e := range envs {
		if protects(e, c.req.Kind.Kind, c.old.labels()) && !protects(e, c.req.Kind.Kind, c.new.labels()) {
			return "takes the protection from " + Describe(*c.req)
		}
	}
	owners := c.new.meta.OwnerReferences
	if !slices.ContainsFunc(envs, func(e *estate.Environment) bool { return protects(e, c.req.Kind.Kind, c.old.labels()) }) {
		owners = nil // the claims of a StatefulSet are protected, not the set
	}
	for _, o := range owners {
		if !slices.ContainsFunc(c.old.meta.OwnerReferences, func(p metav1.OwnerReference) bool { return p.UID == o.UID }) {
			return fmt.Sprintf("gives protected %s the owner %s %q, with which the garbage collector would delete it", Describe(*c.req), o.Kind, o.Name)
		}
	}
	if before, after := retained(c.old), retained(c.new); !reflect.DeepEqual(before, after) && slices.ContainsFunc(after, loses) {
		return "lets protected volumes be deleted"
	}
	if ref := claimOf(c.old); c.isKind(volumeKind()) && ref != nil && !sameClaim(ref, claimOf(c.new)) {
		return fmt.Sprintf("takes %s from protected %s %q", Describe(*c.req), claim, ref.Namespace+"/"+ref.Name)
	}
	return ""
}

// loses reports whether a policy for volumes loses their data: a volume that is recycled is wiped.
func loses(policy string) bool {
	return policy == string(corev1.PersistentVolumeReclaimDelete) || policy == string(corev1.PersistentVolumeReclaimRecycle)
}

// claimOf returns the claim that a volume is for, or nil if there is none or the object is not a volume.
func claimOf(o *object) *corev1.ObjectReference {
	var v corev1.PersistentVolume
	if kjson.UnmarshalCaseSensitivePreserveInts(o.raw, &v) != nil {
		return nil
	}
	return v.Spec.ClaimRef
}

// sameClaim reports whether a volume is still for the same claim. Binding a claim fills in its UID afterwards.
func sameClaim(old, new *corev1.ObjectReference) bool {
	return new != nil && new.Namespace == old.Namespace && new.Name == old.Name && (old.UID == "" || old.UID == new.UID)
}

// retained returns the policies that say what becomes of volumes, for the kinds that have them.
func retained(o *object) []string {
	var set appsv1.StatefulSet
	var volume corev1.PersistentVolume
	var out []string
	if kjson.UnmarshalCaseSensitivePreserveInts(o.raw, &set) == nil && set.Spec.PersistentVolumeClaimRetentionPolicy != nil {
		p := set.Spec.PersistentVolumeClaimRetentionPolicy
		out = append(out, string(p.WhenDeleted), string(p.WhenScaled))
	}
	if kjson.UnmarshalCaseSensitivePreserveInts(o.raw, &volume) == nil && volume.Spec.PersistentVolumeReclaimPolicy != "" {
		out = append(out, string(volume.Spec.PersistentVolumeReclaimPolicy))
	}
	return out
}
