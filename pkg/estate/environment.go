package estate

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// Environment is an Environment with every default filled in.
type Environment struct {
	Name string
	Tier v1alpha1.Tier
	// Controls is what changeControl says; nil outside Production.
	Controls *Controls
	// Created is when the Environment was created.
	Created time.Time
	// Sealed is true once the boundary may no longer be edited freely.
	Sealed bool

	spec v1alpha1.EnvironmentSpec
}

// Spec returns the Environment's spec. It must not be changed.
func (e *Environment) Spec() *v1alpha1.EnvironmentSpec { return &e.spec }

// Controls is ChangeControl with every default filled in.
type Controls struct {
	Scope             v1alpha1.ChangeScope
	Maintenance       v1alpha1.MaintenanceMode
	MaintenanceTools  []string
	RequiredApprovals int32
	Approvers         v1alpha1.Approvers
	// AlsoApprovers are the limits of further environments: who approves is within each of them.
	AlsoApprovers            []v1alpha1.Approvers
	RequiredFrom             []v1alpha1.GroupQuorum
	AutomatedRequesters      []v1alpha1.ServiceAccountGlob
	ApprovalValidity         time.Duration
	StandardApprovalValidity time.Duration
	ConfirmTarget            bool
	RequirePlan              bool
	RequireRollback          bool
	MaxWindowDuration        time.Duration
	EmergencyMaxDuration     time.Duration
	ExecutionRetention       time.Duration
	InteractiveAccess        v1alpha1.InteractiveAccess
}

// ControlsOf fills in the defaults of a ChangeControl, nil included.
func ControlsOf(c *v1alpha1.ChangeControl) Controls {
	if c == nil {
		c = &v1alpha1.ChangeControl{}
	}
	return Controls{
		Scope:                    cmp.Or(c.Scope, v1alpha1.ScopeMaintenance),
		Maintenance:              cmp.Or(c.Maintenance, v1alpha1.MaintenanceDetect),
		MaintenanceTools:         c.MaintenanceTools,
		RequiredApprovals:        or(c.RequiredApprovals, v1alpha1.DefaultRequiredApprovals),
		Approvers:                c.Approvers,
		RequiredFrom:             c.RequiredFrom,
		AutomatedRequesters:      c.AutomatedRequesters,
		ApprovalValidity:         duration(c.ApprovalValidity, v1alpha1.DefaultApprovalValidity),
		StandardApprovalValidity: duration(c.StandardApprovalValidity, v1alpha1.DefaultStandardApprovalValidity),
		ConfirmTarget:            or(c.ConfirmTarget, true),
		RequirePlan:              or(c.RequirePlan, true),
		RequireRollback:          c.RequireRollback,
		MaxWindowDuration:        duration(c.MaxWindowDuration, v1alpha1.DefaultMaxWindowDuration),
		EmergencyMaxDuration:     duration(c.EmergencyMaxDuration, v1alpha1.DefaultEmergencyMaxDuration),
		ExecutionRetention:       duration(c.ExecutionRetention, v1alpha1.DefaultExecutionRetention),
		InteractiveAccess:        cmp.Or(c.InteractiveAccess, v1alpha1.InteractiveWindowRequired),
	}
}

// ProtectedStateOf fills in the defaults of what is protected, for a ChangeControl that may be nil.
func ProtectedStateOf(c *v1alpha1.ChangeControl) v1alpha1.ProtectedState {
	var p v1alpha1.ProtectedState
	if c != nil {
		p = c.ProtectedState
	}
	if p.Selector == nil {
		p.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelProtected: "true"}}
	}
	if p.Kinds == nil {
		p.Kinds = []string{"Namespace", "PersistentVolumeClaim", "StatefulSet", "CustomResourceDefinition"}
	}
	return p
}

func or[T any](p *T, def T) T {
	if p == nil {
		return def
	}
	return *p
}

func duration(d *metav1.Duration, def time.Duration) time.Duration {
	if d == nil || d.Duration <= 0 {
		return def
	}
	return d.Duration
}

// ActionFor returns what happens when a rule objects in the environment.
func (e *Environment) ActionFor(rule v1alpha1.RuleName) v1alpha1.Action {
	if a, ok := e.spec.Enforcement.Rules[rule]; ok && a != "" {
		return a
	}
	return cmp.Or(e.spec.Enforcement.Default, v1alpha1.ActionDeny)
}

// Strictest returns the strictest of what the environments do when a rule objects; Deny where there is none.
func Strictest(envs []*Environment, rule v1alpha1.RuleName) v1alpha1.Action {
	return StrictestAction(envs, func(e *Environment) v1alpha1.Action { return e.ActionFor(rule) })
}

// StrictestAction returns the strictest of the actions that f gives for the environments; Deny where there is none.
func StrictestAction(envs []*Environment, f func(*Environment) v1alpha1.Action) v1alpha1.Action {
	if len(envs) == 0 {
		return v1alpha1.ActionDeny
	}
	return slices.MaxFunc(mapped(envs, f), func(a, b v1alpha1.Action) int {
		return cmp.Compare(Strictness(a), Strictness(b))
	})
}

// Strictness orders actions: a higher number is stricter, and what is unknown is strictest.
func Strictness(a v1alpha1.Action) int {
	switch a {
	case v1alpha1.ActionAudit:
		return 0
	case v1alpha1.ActionWarn:
		return 1
	}
	return 2
}

// SelfHealing returns what happens to self-healing Pods.
func (e *Environment) SelfHealing() v1alpha1.Action {
	return cmp.Or(e.spec.Enforcement.SelfHealing, v1alpha1.ActionWarn)
}

// UnlistedAutomation returns what happens to service accounts that nobody listed.
func (e *Environment) UnlistedAutomation() v1alpha1.Action {
	return cmp.Or(e.spec.Enforcement.UnlistedAutomation, v1alpha1.ActionWarn)
}

// StrictestControls joins the change control of several Production environments, field by field.
func StrictestControls(envs []*Environment) Controls {
	var out *Controls
	for _, e := range envs {
		if e.Controls == nil {
			continue
		}
		if out == nil {
			c := *e.Controls
			out = &c
			continue
		}
		out.tighten(e.Controls)
	}
	if out == nil {
		d := ControlsOf(nil)
		return d
	}
	return *out
}

func (c *Controls) tighten(o *Controls) {
	if ScopeStrictness(o.Scope) > ScopeStrictness(c.Scope) {
		c.Scope = o.Scope
	}
	if ModeStrictness(o.Maintenance) > ModeStrictness(c.Maintenance) {
		c.Maintenance = o.Maintenance
	}
	c.MaintenanceTools = append(slices.Clone(c.MaintenanceTools), o.MaintenanceTools...)
	c.RequiredApprovals = max(c.RequiredApprovals, o.RequiredApprovals)
	switch {
	case len(o.Approvers.Users)+len(o.Approvers.Groups) == 0:
	case len(c.Approvers.Users)+len(c.Approvers.Groups) == 0:
		c.Approvers = o.Approvers
	default:
		c.AlsoApprovers = append(slices.Clone(c.AlsoApprovers), o.Approvers)
	}
	c.RequiredFrom = slices.Clone(c.RequiredFrom)
	for _, q := range o.RequiredFrom {
		if i := slices.IndexFunc(c.RequiredFrom, func(p v1alpha1.GroupQuorum) bool { return p.Group == q.Group }); i >= 0 {
			c.RequiredFrom[i].Approvals = max(1, c.RequiredFrom[i].Approvals, q.Approvals)
		} else {
			c.RequiredFrom = append(c.RequiredFrom, q)
		}
	}
	c.AutomatedRequesters = intersect(c.AutomatedRequesters, o.AutomatedRequesters)
	c.ApprovalValidity = min(c.ApprovalValidity, o.ApprovalValidity)
	c.StandardApprovalValidity = min(c.StandardApprovalValidity, o.StandardApprovalValidity)
	c.ConfirmTarget = c.ConfirmTarget || o.ConfirmTarget
	c.RequirePlan = c.RequirePlan || o.RequirePlan
	c.RequireRollback = c.RequireRollback || o.RequireRollback
	c.MaxWindowDuration = min(c.MaxWindowDuration, o.MaxWindowDuration)
	c.EmergencyMaxDuration = min(c.EmergencyMaxDuration, o.EmergencyMaxDuration)
	c.ExecutionRetention = max(c.ExecutionRetention, o.ExecutionRetention)
	if InteractiveStrictness(o.InteractiveAccess) > InteractiveStrictness(c.InteractiveAccess) {
		c.InteractiveAccess = o.InteractiveAccess
	}
}

// ScopeStrictness orders scopes: a higher number needs windows for more, and what is unknown for most.
func ScopeStrictness(s v1alpha1.ChangeScope) int {
	switch s {
	case v1alpha1.ScopeMaintenance, "":
		return 0
	case v1alpha1.ScopeWorkloads:
		return 1
	}
	return 2
}

// ModeStrictness orders maintenance modes.
func ModeStrictness(m v1alpha1.MaintenanceMode) int {
	switch m {
	case v1alpha1.MaintenanceLabeled:
		return 0
	case v1alpha1.MaintenanceDetect, "":
		return 1
	}
	return 2
}

// InteractiveStrictness orders what is done about sessions.
func InteractiveStrictness(i v1alpha1.InteractiveAccess) int {
	switch i {
	case v1alpha1.InteractiveAllow:
		return 0
	case v1alpha1.InteractiveWindowRequired, "":
		return 1
	}
	return 2
}

func intersect[T comparable](a, b []T) []T {
	var out []T
	for _, v := range a {
		if slices.Contains(b, v) {
			out = append(out, v)
		}
	}
	return out
}

func mapped[T, U any](in []T, f func(T) U) []U {
	out := make([]U, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

// HostsProduction reports whether any namespace of the cluster belongs to a Production environment.
func (e *Estate) HostsProduction() bool { return e.production }

// BlastRadius is a v1alpha1.BlastRadius with every default filled in.
type BlastRadius struct {
	DownPercent, UpFactor, Up, FromZero int64
	Autoscalers                         v1alpha1.Action
}

// BlastRadiusOf fills in the defaults of a ChangeControl that may be nil.
func BlastRadiusOf(c *v1alpha1.ChangeControl) BlastRadius {
	var b v1alpha1.BlastRadius
	if c != nil {
		b = c.BlastRadius
	}
	return BlastRadius{
		DownPercent: int64(or(b.MaxScaleDownPercent, 50)), UpFactor: int64(or(b.MaxScaleUpFactor, 4)), Up: int64(or(b.MaxScaleUp, 10)), FromZero: int64(or(b.MaxScaleFromZero, 10)),
		Autoscalers: cmp.Or(b.Autoscalers, v1alpha1.ActionWarn),
	}
}
