package policy

import (
	"fmt"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// targetNotConfirmed objects to a manifest that was meant for one environment and went to another, and to maintenance whose target nothing
// confirms.
func targetNotConfirmed(c *PreparedRequest, j *Judgement) []Finding {
	if c.new == nil || c.req.Operation == Delete || c.req.SubResource != "" {
		return nil
	}
	if path, target := annotatedTarget(c.new); path != "" {
		if c.membership.In(target) || c.targetStored(target) {
			return nil
		}
		return []Finding{c.targetFinding(path, target, fmt.Sprintf(
			"says %q, but namespace %q is in %s", target, c.req.Namespace, c.membership),
			"check your kubectl context, or correct the annotation")}
	}
	d := c.demanded(v1alpha1.RuleChangeWindowRequired)
	if c.maintenance == "" || j.main().covered() || d != nil && j.to(d).covered() {
		return nil
	}
	if controls := estate.StrictestControls(c.concerned()); !controls.ConfirmTarget {
		return nil
	}
	if estate.Strictest(c.concerned(), v1alpha1.RuleChangeWindowRequired) == v1alpha1.ActionDeny {
		return nil // a window is demanded already, and it will confirm the target
	}
	return []Finding{c.targetFinding("", "", fmt.Sprintf(
		"nothing confirms that this is meant for %s", named(c.concerned())),
		fmt.Sprintf("annotate it with %s: %s, or run it under a window", v1alpha1.AnnotationTargetEnvironment, c.concerned()[0].Name))}
}

// targetStored reports whether a wrong target may pass, since it is an old one. An environment may be renamed, and then neither an update
// that leaves the annotation alone nor the Pods that a controller makes of the object may be stopped. An object that belongs to no
// environment by its namespace, such as a ClusterRole, has no other target.
func (c *PreparedRequest) targetStored(target string) bool {
	if len(c.membership.Environments) == 0 && c.membership.Tier == v1alpha1.TierShared {
		return true
	}
	if c.Owner() != nil {
		return true
	}
	if c.old == nil {
		return false
	}
	_, before := annotatedTarget(c.old)
	return before == target
}

// annotatedTarget returns the annotation of an object or of its pod template, with its path.
func annotatedTarget(o *object) (path, target string) {
	key := v1alpha1.AnnotationTargetEnvironment
	if t, ok := o.meta.Annotations[key]; ok {
		return fmt.Sprintf("metadata.annotations[%q]", key), t
	}
	if w := o.work; w != nil && w.Template.Path != "" {
		if t, ok := w.Template.Annotations[key]; ok {
			return fmt.Sprintf("%s.metadata.annotations[%q]", w.Template.Path, key), t
		}
	}
	return "", ""
}

func (c *PreparedRequest) targetFinding(path, target, message, remedy string) Finding {
	f := Finding{
		Rule: v1alpha1.RuleTargetNotConfirmed, Path: path, Value: target, Target: c.req.Namespace, Message: message, Remedy: remedy,
		Action: estate.Strictest(c.membership.Environments, v1alpha1.RuleTargetNotConfirmed),
	}
	if len(c.membership.Environments) > 0 {
		f.Environment = c.membership.Environments[0].Name
	}
	return f
}
