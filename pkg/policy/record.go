package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// Record returns what is kept of a request whatever becomes of its object: what somebody does about the permission to change production, or
// tries to do against the boundary. It is nil if nothing is kept; uses of windows are executions. The state is the one that was decided with; it is
// nil if nothing was read.
func (c *PreparedRequest) Record(d *Decision, s *change.State) *v1alpha1.ChangeRecordSpec {
	own := c.req.Kind.Group == v1alpha1.GroupName && c.req.SubResource == ""
	var message string
	act := v1alpha1.ActDenied
	switch {
	case c.same || c.missing != nil || c.req.DryRun || c.req.Stored:
		return nil
	case !d.Allowed && (own && !mistaken(d) || c.tampers(d)):
		message = clipped(whyDenied(*c.req, d))
	case !d.Allowed || !own:
		return nil
	default:
		if act, message = c.did(s); message == "" {
			return nil
		}
	}
	return &v1alpha1.ChangeRecordSpec{
		Act: act, Message: message,
		Requester: v1alpha1.Stamp{Username: c.req.User.Username, UID: c.req.User.UID, Groups: c.req.User.Groups},
		Object: v1alpha1.ExecutedObject{
			Group: c.req.Kind.Group, Version: c.req.Kind.Version, Kind: c.req.Kind.Kind, Resource: c.req.Resource.Resource,
			Namespace: c.req.Namespace, Name: c.req.Name, UID: c.UID(),
		},
	}
}

// mistaken reports whether an object is refused only for being malformed, which is not an attempt.
func mistaken(d *Decision) bool {
	return len(d.Denied()) == 0 && slices.ContainsFunc(d.Invalid, func(e *field.Error) bool { return e.Type != field.ErrorTypeForbidden })
}

// tampers reports whether a request is denied for what it would do to the boundary.
func (c *PreparedRequest) tampers(d *Decision) bool {
	return slices.ContainsFunc(d.Denied(), func(f Finding) bool {
		return f.Rule == v1alpha1.RuleBoundaryTampering || f.Rule == v1alpha1.RuleGrantAcrossTiers
	})
}

func whyDenied(req Request, d *Decision) string {
	if denied := d.Denied(); len(denied) > 0 {
		return DenialMessage(req, denied)
	}
	var parts []string
	for _, e := range d.Invalid {
		parts = append(parts, e.Error())
	}
	return Describe(req) + " is refused: " + strings.Join(parts, "; ")
}

// maxRecorded is how many bytes of a message are kept.
const maxRecorded = 2048

func clipped(s string) string {
	if len(s) > maxRecorded {
		return strings.ToValidUTF8(s[:maxRecorded], "") + "…"
	}
	return s
}

// did says what an admitted write of one of Firebreak's own objects does; the message is empty if nothing is kept of it.
func (c *PreparedRequest) did(s *change.State) (v1alpha1.RecordedAct, string) {
	act := map[Operation]v1alpha1.RecordedAct{Create: v1alpha1.ActCreated, Update: v1alpha1.ActUpdated, Delete: v1alpha1.ActDeleted}[c.req.Operation]
	if act == v1alpha1.ActUpdated && reflect.DeepEqual(c.new.generic()["spec"], c.old.generic()["spec"]) {
		return act, ""
	}
	o := c.new
	if o == nil {
		o = c.old
	}
	return act, clipped(c.told(act, o, s))
}

// told says what an act means, by the kind of its object.
func (c *PreparedRequest) told(act v1alpha1.RecordedAct, o *object, s *change.State) string {
	switch c.req.Kind.Kind {
	case v1alpha1.KindChangeWindow:
		return toldOf(o, map[v1alpha1.RecordedAct]string{v1alpha1.ActCreated: "requested", v1alpha1.ActDeleted: "withdrew"}[act], func(w *v1alpha1.ChangeWindow) string {
			return fmt.Sprintf("window %q for %q: %s", w.Name, w.Spec.Environment, w.Spec.Reason)
		})
	case v1alpha1.KindChangeApproval:
		return toldOf(o, map[v1alpha1.RecordedAct]string{v1alpha1.ActDeleted: "withdrew: "}[act], func(a *v1alpha1.ChangeApproval) string { return wordOf(a, s) })
	case v1alpha1.KindChangeDelegation:
		return toldOf(o, map[v1alpha1.RecordedAct]string{v1alpha1.ActCreated: "delegated", v1alpha1.ActDeleted: "withdrew the delegation of"}[act], func(d *v1alpha1.ChangeDelegation) string {
			return strings.TrimSuffix(fmt.Sprintf("the right to approve to %s until %s (delegation %q): %s", d.Spec.To, change.Instant(d.Spec.Until.Time), d.Name, d.Spec.Comment), ": ")
		})
	case v1alpha1.KindChangeFreeze:
		return toldOf(o, map[v1alpha1.RecordedAct]string{v1alpha1.ActCreated: "froze", v1alpha1.ActUpdated: "changed the freeze of", v1alpha1.ActDeleted: "lifted the freeze of"}[act], freezeTold)
	case v1alpha1.KindExemption:
		return toldOf(o, map[v1alpha1.RecordedAct]string{v1alpha1.ActCreated: "exempted", v1alpha1.ActUpdated: "changed", v1alpha1.ActDeleted: "ended"}[act], func(x *v1alpha1.Exemption) string {
			return fmt.Sprintf("exemption %q from %v until %s: %s", x.Name, x.Spec.Rules, change.Instant(x.Spec.ExpiresAt.Time), x.Spec.Reason)
		})
	case v1alpha1.KindEnvironment, v1alpha1.KindDataStore:
		return fmt.Sprintf("%s %s %q", strings.ToLower(string(act)), c.req.Kind.Kind, c.req.Name)
	}
	return ""
}

func toldOf[T any](o *object, verb string, tell func(*T) string) string {
	own, err := unmarshalOwn[T](o)
	if err != nil || own == nil {
		return strings.TrimSpace(verb + " something that cannot be read")
	}
	return strings.TrimSpace(verb + " " + tell(own))
}

// wordOf says what a person decides. Of an emergency, which is open already, either word is a review.
func wordOf(a *v1alpha1.ChangeApproval, s *change.State) string {
	verb := map[v1alpha1.ApprovalDecision]string{
		v1alpha1.DecisionApprove: "approved", v1alpha1.DecisionReject: "rejected", v1alpha1.DecisionLift: "lifted", v1alpha1.DecisionRelease: "gave back",
	}[a.Spec.Decision]
	about := "something"
	switch {
	case a.Spec.Window != nil:
		about = fmt.Sprintf("window %q", a.Spec.Window.Name)
		if w := aboutWindow(a, stateOf(s)); w != nil && w.Spec.Type == v1alpha1.WindowEmergency {
			verb, about = "reviewed", fmt.Sprintf("emergency %q, and %s it", a.Spec.Window.Name, verb)
		}
	case a.Spec.Freeze != nil:
		about = fmt.Sprintf("freeze %q", a.Spec.Freeze.Name)
	case a.Spec.Execution != nil:
		about = fmt.Sprintf("execution %q", a.Spec.Execution.Name)
	}
	out := verb + " " + about
	if a.Spec.OnBehalfOf != nil {
		out += fmt.Sprintf(" by delegation %q", a.Spec.OnBehalfOf.Name)
		if d, why := change.Delegated(a, stateOf(s).Delegations); why == "" {
			out += " of " + d.Spec.Delegator.Username
		}
	}
	if a.Spec.Comment != "" {
		out += ": " + a.Spec.Comment
	}
	return out
}

// stateOf returns a state, empty if nothing was read.
func stateOf(s *change.State) *change.State {
	if s == nil {
		return &change.State{}
	}
	return s
}

func freezeTold(f *v1alpha1.ChangeFreeze) string {
	until := "until somebody lifts it"
	if s := f.Spec.Schedule; s != nil && s.End != nil {
		until = "until " + change.Instant(s.End.Time)
	}
	return fmt.Sprintf("%s (freeze %q), %s: %s", strings.Join(f.Spec.Environments, ", "), f.Name, until, f.Spec.Reason)
}
