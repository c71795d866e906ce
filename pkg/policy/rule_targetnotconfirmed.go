package policy

import (
	"fmt"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// targetNotConfirmed objects to the manifest that was meant for one environment and went to another, and to
// maintenance whose target nothing confirms.
func targetNotConfirmed(c *Case, j *judgement) []Finding {
	if c.new == nil || c.req.Operation == Delete || c.req.SubResource != "" {
		return nil
	}
	if path, target := c.annotatedTarget(); path != "" {
		if c.place.In(target) {
			return nil
		}
		return []Finding{c.targetFinding(path, target, fmt.Sprintf(
			"says that this is meant for environment %q, but namespace %q belongs to %s; check your kubectl context, or correct the annotation",
			target, c.req.Namespace, c.place))}
	}
	if c.maintenance == "" || j.covered() {
		return nil
	}
	if controls := estate.StrictestControls(c.Production()); !controls.ConfirmTarget {
		return nil
	}
	if a := estate.Strictest(c.Production(), v1alpha1.RuleChangeWindowRequired); a == v1alpha1.ActionDeny {
		return nil // a window is demanded already, and it will confirm the target
	}
	return []Finding{c.targetFinding("", "", fmt.Sprintf(
		"nothing confirms that this is meant for environment %s; annotate it with %s: %s, or run it under a window",
		named(c.Production()), v1alpha1.AnnotationTargetEnvironment, c.Production()[0].Name))}
}

// annotatedTarget returns the annotation of the object or of its pod template, with its path.
func (c *Case) annotatedTarget() (path, target string) {
	key := v1alpha1.AnnotationTargetEnvironment
	if t, ok := c.new.meta.Annotations[key]; ok {
		return fmt.Sprintf("metadata.annotations[%q]", key), t
	}
	if w := c.new.work; w != nil && w.Template.Path != "" {
		if t, ok := w.Template.Annotations[key]; ok {
			return fmt.Sprintf("%s.metadata.annotations[%q]", w.Template.Path, key), t
		}
	}
	return "", ""
}

func (c *Case) targetFinding(path, target, message string) Finding {
	f := Finding{
		Rule: v1alpha1.RuleTargetNotConfirmed, Path: path, Value: target, Target: c.req.Namespace, Message: message,
		Action: estate.Strictest(c.place.Environments, v1alpha1.RuleTargetNotConfirmed),
	}
	if len(c.place.Environments) > 0 {
		f.Environment = c.place.Environments[0].Name
	}
	return f
}
