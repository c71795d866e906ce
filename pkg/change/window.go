package change

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// Query asks whether a window permits a change.
type Query struct {
	// At is the instant of the question. For a CREATE it is the object's own creationTimestamp.
	At time.Time
	// Scheduled is when a CronJob's run was due, which must lie in the window too. It is nil for anything else.
	Scheduled *time.Time
	// Cluster is the cluster's name. FirebreakNamespace is the namespace whose windows may reach into others.
	Cluster, FirebreakNamespace string
	// Environments are the names of the Production environments concerned. The window must name one of them.
	Environments []string
	// Controls are those of these environments.
	Controls estate.Controls
	// Frozen is true during a freeze: a window that overrides it is then nearer than any other window that covers the query.
	Frozen bool
	// Boundary is true for changes of the boundary itself, which only a window in Firebreak's namespace can cover.
	Boundary bool

	// Group, Kind, Namespace and Name are the object's; Namespace is empty for cluster-scoped objects.
	Group, Kind, Namespace, Name string
	// UID is that of the stored object; it is empty for a creation.
	UID types.UID
	// Operations are the operations that the window must permit, all of them.
	Operations []v1alpha1.Operation
	// Requester is the user that sends the request.
	Requester Party
	// Session is true for an operation that is bounded by time and not counted. Debugger is true for a container that is added
	// to a running Pod.
	Session, Debugger bool
	// Plan is what would run; it is nil if nothing would.
	Plan *Plan
	// Custom is true for a custom resource, which windows that were requested before entries had counts do not pin.
	Custom bool
	// Pin is the digest of the requested spec of an object of Firebreak's own kinds; it is empty for other objects and for
	// deletions. A window may pin it, as it pins a workload, and must do so if MustPin is set.
	Pin     string
	MustPin bool
	// Spec is the plan of that spec; it is nil where Pin is empty, and for deletions.
	Spec *Plan
	// Deadline is the activeDeadlineSeconds of a Job; it is 0 if the Job has none.
	Deadline time.Duration
	// candidate is true while windows are looked for whose executions and ConfigMaps must be read: the plan is not known then.
	candidate bool
	// Continues is the key of the execution that started the run which is changed; it is empty for anything else. A window that started it
	// permits such a change as part of the same execution, if it leads to what the window pins.
	Continues string
	// Under are the UIDs of the windows of which one must permit the query; any may if it is empty.
	Under []types.UID
	// MadeBy is the object whose controller makes the object by a schedule, such as a CronJob; it is nil for anything else.
	MadeBy *v1alpha1.Maker
	// Key identifies the execution: a request with the same key is a repeat of it.
	Key string
	// Unfit returns why a user's approval does not count.
	Unfit ApproverCheck
}

// State is the change state that was read live, or given to an offline check.
type State struct {
	Windows   []v1alpha1.ChangeWindow
	Approvals []v1alpha1.ChangeApproval
	// Delegations are those of the windows' namespaces, among which the ones are that approvals name.
	Delegations []v1alpha1.ChangeDelegation
	Executions  []v1alpha1.ChangeExecution
	Freezes     []v1alpha1.ChangeFreeze
	// Unauthorised says, by the UID of an approval, why it counts no more: the person whose right it rests on has lost that right.
	Unauthorised map[types.UID]string
	// OtherWindows are the windows of other namespaces. They permit nothing here. For an emergency they tell whether it is its
	// requester's second.
	OtherWindows []v1alpha1.ChangeWindow
	// Exists is true if the object of a creation exists already.
	Exists bool
	// ConfigMaps holds the content of the ConfigMaps that workloads use, by namespace/name.
	ConfigMaps map[string]map[string][]byte
}

// Contents returns the ConfigMaps of one namespace.
func (s *State) Contents(namespace string) Contents {
	return func(name string) (map[string][]byte, bool) {
		d, ok := s.ConfigMaps[namespace+"/"+name]
		return d, ok
	}
}

// Stage says how near a window came to covering a query: a higher stage is nearer.
type Stage int

// The stages, in the order of the checks.
const (
	OutOfScope Stage = iota
	OtherCluster
	OtherEnvironment
	NotInForce
	Rejected
	NotYours
	Closed
	Unapproved
	NotYetOpen
	PlanDiffers
	Exhausted
	Covers
)

// Verdict is the judgement of one window.
type Verdict struct {
	Window *v1alpha1.ChangeWindow
	Stage  Stage
	// Why is a clause that says why the window does not cover the query; it is empty if it does.
	Why string
	// Opens and Closes are the instants of the present or next occurrence.
	Opens, Closes time.Time
	// Occurrence is the number of an occurrence of a recurrence; 0 for a window that opens once.
	Occurrence int64
	// Slots are where the use is recorded. Last is the latest use that counts against the same limit; nil: there is none.
	Slots Slots
	Last  *v1alpha1.ChangeExecution
	// over is true if no occurrence is left.
	over bool
	// malformed says why the schedule cannot be read; it is empty if it can.
	malformed string
	// Approvals is the count of the window's approvals.
	Approvals Approvals
	// Differences are those of the plan.
	Differences []Difference
}

// Judge judges one window.
func Judge(w *v1alpha1.ChangeWindow, q *Query, s *State) Verdict {
	v := Verdict{Window: w}
	v.occur(q.At, s)
	for _, c := range checks() {
		if c.status {
			continue
		}
		if why := c.ask(&v, q, s); why != "" {
			v.Stage, v.Why = c.stage, why
			return v
		}
	}
	v.Stage = Covers
	return v
}

type check struct {
	stage Stage
	ask   func(*Verdict, *Query, *State) string
	// asker is true if the check is about the requester or the change, which a status does not know.
	asker bool
	// status is true if the check is only for a status.
	status bool
}

// checks returns the conditions that a window must meet, in the order of the stages.
func checks() []check {
	return []check{
		{stage: OutOfScope, ask: scope, asker: true},
		{stage: OutOfScope, ask: continued, asker: true},
		{stage: OtherCluster, ask: cluster},
		{stage: OtherEnvironment, ask: environment, asker: true},
		{stage: NotInForce, ask: alive},
		{stage: NotInForce, ask: inForce},
		{stage: Rejected, ask: rejected},
		{stage: NotYours, ask: subject, asker: true},
		{stage: Closed, ask: closed},
		{stage: Unapproved, ask: approved},
		{stage: NotYetOpen, ask: opened},
		{stage: PlanDiffers, ask: planned, asker: true},
		{stage: Exhausted, ask: exhausted, asker: true},
		{stage: Exhausted, ask: spent, status: true},
	}
}

const outOfScope = "its scope does not include this"

func scope(v *Verdict, q *Query, _ *State) string {
	w := v.Window
	const out = outOfScope
	if len(q.Operations) == 0 || !inNamespace(w, q) || len(q.Under) > 0 && !slices.Contains(q.Under, w.UID) && !slices.Contains(q.Under, types.UID(Ledger(w))) {
		return out
	}
	for _, op := range q.Operations {
		if !slices.Contains(w.Spec.Scope.Operations, op) && !v.mayGoBack(op, q) && !v.mayContinue(op, q) {
			return out
		}
	}
	for _, r := range w.Spec.Scope.Resources {
		if r.Group == q.Group && r.Kind == q.Kind && matchName(r.Names, q.Name) {
			return ""
		}
	}
	return out
}

func inNamespace(w *v1alpha1.ChangeWindow, q *Query) bool {
	own := w.Namespace == q.FirebreakNamespace
	switch {
	case q.Boundary:
		return own && len(w.Spec.Scope.Namespaces) == 0
	case own && len(w.Spec.Scope.Namespaces) > 0:
		return slices.Contains(w.Spec.Scope.Namespaces, q.Namespace)
	}
	return w.Namespace == q.Namespace
}

func cluster(v *Verdict, q *Query, _ *State) string {
	named := v.Window.Spec.Scope.Clusters
	switch {
	case len(named) == 0 && v.Window.Namespace == q.FirebreakNamespace:
		return "it names no cluster, which a window in Firebreak's own namespace must"
	case len(named) == 0 || slices.Contains(named, q.Cluster):
		return ""
	}
	return fmt.Sprintf("it is for cluster %s, and this is %q", quoted(named), q.Cluster)
}

func environment(v *Verdict, q *Query, _ *State) string {
	if slices.Contains(q.Environments, v.Window.Spec.Environment) {
		return ""
	}
	return fmt.Sprintf("it is for environment %q, and this is %s", v.Window.Spec.Environment, quoted(q.Environments))
}

// alive refuses a window that is being deleted: deleting a window closes it, even while a finalizer keeps it.
func alive(v *Verdict, _ *Query, _ *State) string {
	if v.Window.DeletionTimestamp != nil {
		return "it is being deleted"
	}
	return ""
}

// inForce refuses a window that should have been refused when it was written, and one that this version does not open.
func inForce(v *Verdict, q *Query, _ *State) string {
	s := &v.Window.Spec
	switch {
	case s.RequestedBy == nil || s.RequestedBy.Username == "":
		return "it carries no stamp of its requester"
	case v.malformed != "":
		return v.malformed
	case length(&s.Schedule) > allowed(s.Type, q.Controls):
		return fmt.Sprintf("it lasts longer than the %s that the environment allows", Short(allowed(s.Type, q.Controls)))
	case duration(s.RollbackWithin) > q.Controls.MaxWindowDuration:
		return fmt.Sprintf("its way back stays open for longer than the %s that the environment allows", Short(q.Controls.MaxWindowDuration))
	case s.Plan == nil && s.Type == v1alpha1.WindowStandard:
		return "it pins no plan, which a window that recurs must"
	// RequirePlan spares debuggers: a person who may attach one runs what they like.
	case s.Plan == nil && q.Plan != nil && q.Controls.RequirePlan && s.Type != v1alpha1.WindowEmergency && !q.Debugger:
		return "it pins no plan, which the environment requires"
	case s.Rollback == "" && q.Controls.RequireRollback:
		return "it says no rollback, which the environment requires"
	}
	return ""
}

func subject(v *Verdict, q *Query, state *State) string {
	s := &v.Window.Spec
	switch {
	case q.MadeBy != nil && s.Type == v1alpha1.WindowEmergency && !v.made(q.MadeBy, q.Namespace, state):
		return fmt.Sprintf("an emergency covers what its requester does and what that makes, not the schedule of %s %q", q.MadeBy.Kind, q.MadeBy.Name)
	case q.Requester.Controller:
		return ""
	case q.Requester.Borrowed:
		return fmt.Sprintf("%s is an impersonated service account or one with a long-lived token, which no window serves", q.Requester.Username)
	case Serves(s, q.Requester):
		return ""
	case s.Subjects.Empty():
		return fmt.Sprintf("only its requester, %s, may use it", s.RequestedBy.Username)
	}
	return fmt.Sprintf("%s is not among its subjects", q.Requester.Username)
}

func rejected(v *Verdict, q *Query, s *State) string {
	var executor *Party
	if !q.Requester.Controller {
		executor = &q.Requester
	}
	v.Approvals = CountApprovals(v.Window, s, q.Controls, executor, q.Unfit, q.At)
	if v.Approvals.RejectedBy == "" {
		return ""
	}
	why := "it was rejected by " + v.Approvals.RejectedBy
	if c := v.Approvals.RejectComment; c != "" {
		why += fmt.Sprintf(" (%q)", c)
	}
	return why
}

func approved(v *Verdict, _ *Query, _ *State) string {
	a := v.Approvals
	if a.Enough() {
		return ""
	}
	why := fmt.Sprintf("it has %d of %d approvals", len(a.Names), a.Required)
	if len(a.Lacks) > 0 {
		why += " and lacks " + strings.Join(a.Lacks, " and ")
	}
	if len(a.Ignored) > 0 {
		why += " (" + strings.Join(a.Ignored, "; ") + ")"
	}
	return why
}

func quoted(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(q, " or ")
}

// matchName compares names. A name that is yet to be generated (`reindex-`, its dash last) is compared with a suffix of the
// length that the API server adds.
func matchName(globs []v1alpha1.Glob, name string) bool {
	if strings.HasSuffix(name, "-") {
		name += "xxxxx"
	}
	return estate.MatchAny(globs, name)
}

// Short prints a duration without its zero parts.
func Short(d time.Duration) string {
	s := d.String()
	s = strings.TrimSuffix(s, "m0s")
	if s != d.String() {
		s += "m"
	}
	if t := strings.TrimSuffix(s, "h0m"); t != s {
		s = t + "h"
	}
	return s
}

// Recurs reports whether a window that recurs has the object of a query in its scope and its environment, and is not over.
func Recurs(w *v1alpha1.ChangeWindow, q *Query) bool {
	v := &Verdict{Window: w}
	if w.Spec.Type != v1alpha1.WindowStandard {
		return false
	}
	v.occur(q.At, &State{})
	return !v.over && v.malformed == "" && scope(v, q, nil) == "" && environment(v, q, nil) == "" && cluster(v, q, nil) == "" && alive(v, q, nil) == ""
}

// Over reports whether a window permits nothing any more at an instant, its way back included.
func Over(w *v1alpha1.ChangeWindow, at time.Time) bool {
	v := &Verdict{Window: w}
	v.occur(at, &State{})
	return v.over && !at.Before(v.Closes.Add(duration(w.Spec.RollbackWithin)))
}

// Candidates returns the windows that have the object of at least one query in their scope.
func Candidates(queries []*Query, s *State) []*v1alpha1.ChangeWindow {
	var out []*v1alpha1.ChangeWindow
	for i := range s.Windows {
		v := &Verdict{Window: &s.Windows[i]}
		if slices.ContainsFunc(queries, func(q *Query) bool {
			asked := *q
			asked.candidate = true
			return scope(v, &asked, s) == ""
		}) {
			out = append(out, &s.Windows[i])
		}
	}
	return out
}
