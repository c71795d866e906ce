package policy

import (
	"reflect"
	"slices"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/schedule"
)

// exempt sets the action of findings that an Exemption suspends to Audit. An exemption counts until expiresAt and not an instant longer,
// whether or not a controller has reconciled it.
func (c *PreparedRequest) exempt(findings []Finding) {
	for i := range findings {
		if findings[i].Action != v1alpha1.ActionAudit && c.exempted(findings[i].Rule) {
			findings[i].Action, findings[i].Exempted = v1alpha1.ActionAudit, true
		}
	}
}

func (c *PreparedRequest) exempted(rule v1alpha1.RuleName) bool {
	// BoundaryTampering guards the exemptions, so none can suspend it.
	if rule == v1alpha1.RuleBoundaryTampering {
		return false
	}
	all := c.est.Exemptions()
	for i := range all {
		if slices.Contains(all[i].Spec.Rules, rule) && c.notExempt(&all[i].Spec) == "" {
			return true
		}
	}
	return false
}

// notExempt says, as a clause, why an exemption is not for the request; it is empty if it is.
func (c *PreparedRequest) notExempt(e *v1alpha1.ExemptionSpec) string {
	switch {
	case schedule.Expired(e.ExpiresAt.Time, c.At()):
		return "it expired at " + change.Instant(e.ExpiresAt.Time)
	case !c.exemptObject(&e.Objects):
		return "it is for other objects"
	case !c.req.Stored && !change.MatchSubjects(&e.Subjects, c.party()): // the writer of a stored object is not known any more
		return "it is for other requesters"
	}
	return ""
}

func (c *PreparedRequest) exemptObject(o *v1alpha1.ExemptObjects) bool {
	if o.Group != c.req.Kind.Group || o.Kind != c.req.Kind.Kind || !estate.MatchAny(o.Names, c.req.Name) {
		return false
	}
	if c.req.Namespace == "" {
		return len(o.Namespaces) == 0
	}
	return estate.MatchAny(o.Namespaces, c.req.Namespace)
}

func equalJSON(a, b any) bool { return reflect.DeepEqual(a, b) }
