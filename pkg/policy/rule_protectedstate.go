package policy

import (
	"fmt"
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// protectedState objects to what leads to the deletion of protected state, unless an open window covers it. A deletion by
// the garbage collector or the namespace controller is reported and never denied: denying it wedges the namespace.
func protectedState(c *Case, j *judgement) []Finding {
	envs, why := c.endangers()
	if why == "" {
		return nil
	}
	if c.requester.Controller {
		return []Finding{{
			Rule: v1alpha1.RuleProtectedState, Action: weaker(estate.Strictest(envs, v1alpha1.RuleProtectedState), v1alpha1.ActionAudit),
			Target: c.req.Name, Environment: envs[0].Name, Message: fmt.Sprintf("this %s in environment %s, for %s", why, named(envs), c.req.Username()),
		}}
	}
	if c.demand == nil || c.demand.rule != v1alpha1.RuleProtectedState || j.covered() || j.stage() == change.Exhausted {
		return nil
	}
	return []Finding{c.changeFinding(v1alpha1.RuleProtectedState, j, fmt.Sprintf("this %s in environment %s, and %s", why, named(envs), c.noWindow(j)))}
}

// endangers says, as a predicate, how a request leads to the deletion of protected state, and in which environments.
func (c *Case) endangers() ([]*estate.Environment, string) {
	if c.outsider || c.req.SubResource != "" || c.req.Operation == Create || c.req.Operation == Connect || c.old == nil {
		return nil, ""
	}
	envs := c.protecting()
	if len(envs) == 0 {
		return nil, ""
	}
	if c.req.Operation == Delete {
		return envs, "deletes protected state: " + Describe(c.req)
	}
	return envs, c.exposes(envs)
}

// protecting returns the Production environments that protect the object as it was. A namespace of production's holds
// whatever lies in it.
func (c *Case) protecting() []*estate.Environment {
	envs := c.Production()
	clusterWide := c.req.Namespace == ""
	if clusterWide {
		envs = c.est.Production()
	}
	namespace := c.isKind(schema.GroupKind{Kind: "Namespace"})
	var out []*estate.Environment
	for _, e := range envs {
		if namespace && c.req.Operation == Delete || protects(e, c.req.Kind.Kind, c.old.labels()) {
			out = append(out, e)
		}
	}
	return out
}

func protects(e *estate.Environment, kind string, l map[string]string) bool {
	p := estate.ProtectedStateOf(e.Spec().ChangeControl)
	if !slices.Contains(p.Kinds, kind) {
		return false
	}
	s, err := metav1.LabelSelectorAsSelector(p.Selector)
	return err != nil || s.Matches(labels.Set(l)) // what cannot be read protects
}

// exposes says how an update takes protection away: the label goes, an owner comes after which the garbage collector
// deletes it, or what keeps its volumes no longer does.
func (c *Case) exposes(envs []*estate.Environment) string {
	for _, e := range envs {
		if !protects(e, c.req.Kind.Kind, c.new.labels()) {
			return "takes the protection from " + Describe(c.req)
		}
	}
	for _, o := range c.new.meta.OwnerReferences {
		if !slices.ContainsFunc(c.old.meta.OwnerReferences, func(p metav1.OwnerReference) bool { return p.UID == o.UID }) {
			return fmt.Sprintf("gives protected %s the owner %s %q, with which the garbage collector would delete it", Describe(c.req), o.Kind, o.Name)
		}
	}
	if before, after := retained(c.old), retained(c.new); !reflect.DeepEqual(before, after) && slices.Contains(after, "Delete") {
		return "lets go of the volumes of " + Describe(c.req)
	}
	return ""
}

// retained returns what becomes of volumes, for the kinds that say so.
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
