package policy

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/schedule"
)

func (c *PreparedRequest) validateWindow(w *v1alpha1.ChangeWindow, s *change.State) field.ErrorList {
	spec := field.NewPath("spec")
	env, ok := c.est.Environment(w.Spec.Environment)
	if !ok {
		return field.ErrorList{field.NotFound(spec.Child("environment"), w.Spec.Environment)}
	}
	if env.Tier != v1alpha1.TierProduction {
		return field.ErrorList{field.Invalid(spec.Child("environment"), w.Spec.Environment,
			"changes need windows in environments of tier Production only")}
	}
	errs := c.validRequester(spec.Child("requestedBy"), env.Controls, w.Spec.Type)
	errs = append(errs, c.validPlace(w, env)...)
	errs = append(errs, c.validSchedule(spec.Child("schedule"), w, env.Controls)...)
	errs = append(errs, c.validPlan(spec.Child("plan"), w, env.Controls)...)
	errs = append(errs, validExtends(spec.Child("extends"), w, s)...)
	errs = append(errs, validWayBack(spec, w, env.Controls)...)
	if env.Controls.RequireRollback && w.Spec.Rollback == "" {
		errs = append(errs, field.Required(spec.Child("rollback"), fmt.Sprintf("environment %q requires that a window says how it is undone", env.Name)))
	}
	return errs
}

// validRequester checks that a window is requested by a person, or by a service account that the environment names.
func (c *PreparedRequest) validRequester(path *field.Path, controls *estate.Controls, t v1alpha1.WindowType) field.ErrorList {
	r := c.requester
	switch {
	case r.Person:
		return nil
	case r.Borrowed:
		return field.ErrorList{field.Forbidden(path, fmt.Sprintf(
			"%s is impersonated or shows a long-lived token, and windows are requested by persons; request it as yourself", r))}
	case t == v1alpha1.WindowEmergency:
		return field.ErrorList{field.Forbidden(path, fmt.Sprintf("%s is not a person, and only persons break the glass; let a person open it", r))}
	case r.Account != "" && estate.MatchServiceAccount(controls.AutomatedRequesters, r.AccountNamespace, r.Account):
		return nil
	}
	return field.ErrorList{field.Forbidden(path, fmt.Sprintf(
		"%s is not a person, and windows are requested by persons, or by service accounts that spec.changeControl.automatedRequesters names; let a person request it", r))}
}

// validPlace checks that the environment which the requester typed is where the window opens.
func (c *PreparedRequest) validPlace(w *v1alpha1.ChangeWindow, env *estate.Environment) field.ErrorList {
	path := field.NewPath("spec", "scope")
	if c.req.Namespace != c.est.FirebreakNamespace {
		if len(w.Spec.Scope.Namespaces) > 0 {
			return field.ErrorList{field.Forbidden(path.Child("namespaces"), fmt.Sprintf(
				"a window opens its own namespace; only one in namespace %q may list others", c.est.FirebreakNamespace))}
		}
		if !c.membership.In(env.Name) && c.membership.Tier != v1alpha1.TierShared { // in a Shared namespace, it says whose store is worked on
			return field.ErrorList{field.Invalid(field.NewPath("spec", "environment"), env.Name,
				fmt.Sprintf("namespace %q belongs to %s", c.req.Namespace, c.membership))}
		}
		return nil
	}
	var errs field.ErrorList
	if len(w.Spec.Scope.Clusters) == 0 {
		errs = append(errs, field.Required(path.Child("clusters"), "a window in Firebreak's own namespace names its clusters"))
	}
	for i, ns := range w.Spec.Scope.Namespaces {
		if m, known := c.est.Namespace(ns); !known || !m.In(env.Name) {
			errs = append(errs, field.Invalid(path.Child("namespaces").Index(i), ns, fmt.Sprintf("is not a namespace of environment %q", env.Name)))
		}
	}
	return errs
}

// validSchedule checks that a Standard window recurs, that the others are open once, and that none lasts too long.
func (c *PreparedRequest) validSchedule(path *field.Path, w *v1alpha1.ChangeWindow, controls *estate.Controls) field.ErrorList {
	limit := controls.MaxWindowDuration
	switch w.Spec.Type {
	case v1alpha1.WindowEmergency:
		limit = controls.EmergencyMaxDuration
	case v1alpha1.WindowStandard:
		r := w.Spec.Schedule.Recurrence
		if r == nil {
			return field.ErrorList{field.Required(path.Child("recurrence"), "a Standard window recurs")}
		}
		if r.Duration.Duration > limit {
			return field.ErrorList{field.Invalid(path.Child("recurrence", "duration"), r.Duration.Duration.String(),
				fmt.Sprintf("each occurrence would last %s, and the environment allows %s", r.Duration.Duration, limit))}
		}
		if r.ValidUntil.Sub(c.At()).Hours() > maxAhead {
			return field.ErrorList{field.Invalid(path.Child("recurrence", "validUntil"), change.Instant(r.ValidUntil.Time), "must be at most a year ahead")}
		}
		return c.validRecurrence(path, r)
	}
	return c.validInterval(path, &w.Spec.Schedule, limit)
}

// validRecurrence returns the error in a recurrence, at its field.
func (c *PreparedRequest) validRecurrence(path *field.Path, r *v1alpha1.Recurrence) field.ErrorList {
	err := schedule.Validate(r, c.At())
	if err == nil {
		return nil
	}
	for name := range strings.SplitSeq(err.Field, ".") {
		path = path.Child(name)
	}
	return field.ErrorList{field.Invalid(path, err.Value, err.Why)}
}

func (c *PreparedRequest) validInterval(path *field.Path, s *v1alpha1.Schedule, limit time.Duration) field.ErrorList {
	if s.Recurrence != nil || s.Start == nil || s.End == nil {
		return field.ErrorList{field.Required(path, "give start and end")}
	}
	length := s.End.Sub(s.Start.Time)
	switch {
	case length <= 0:
		return field.ErrorList{field.Invalid(path.Child("end"), change.Instant(s.End.Time), "must be after start")}
	case !c.At().Before(s.End.Time):
		return field.ErrorList{field.Invalid(path.Child("end"), change.Instant(s.End.Time), "must be in the future")}
	case s.End.Sub(c.At()).Hours() > maxAhead:
		return field.ErrorList{field.Invalid(path.Child("end"), change.Instant(s.End.Time), "must be at most a year ahead")}
	case length > limit:
		return field.ErrorList{field.Invalid(path.Child("end"), change.Instant(s.End.Time),
			fmt.Sprintf("the window would last %s, and the environment allows %s", length, limit))}
	}
	return nil
}
