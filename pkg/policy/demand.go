package policy

import (
	"reflect"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// Demand is what a rule objects to unless a window permits it.
type Demand struct {
	rule v1alpha1.RuleName
	// Why is the reason, as a clause.
	Why string
	// Environments are those of which the window must name one.
	Environments []*estate.Environment
	// Operation is the one that the window must permit.
	Operation v1alpha1.Operation
	// Boundary is true for a change of the boundary, ClusterWide if what is changed or endangered lies in no namespace. In both cases
	// the window lies in Firebreak's own namespace.
	Boundary, ClusterWide bool
	// Barred is true if no window permits it.
	Barred bool
	// Under are the windows of which one must permit it; any may if it is empty.
	Under []types.UID
	// scoped is true if this is not maintenance, but a change that the environment wants a window for.
	scoped bool
}

// demanded returns the demand of a rule, or nil if it demands no window.
func (c *PreparedRequest) demanded(rule v1alpha1.RuleName) *Demand {
	i := slices.IndexFunc(c.demands, func(d *Demand) bool { return d.rule == rule })
	if i < 0 {
		return nil
	}
	return c.demands[i]
}

// enforced reports whether a demand that is not met denies.
func (c *PreparedRequest) enforced(d *Demand) bool {
	return d != nil && estate.Strictest(d.Environments, d.rule) == v1alpha1.ActionDeny && !c.exempted(d.rule)
}

// questions returns the demands in groups, each of which one window must meet: all demands that deny together, and each of the others by
// itself. A freeze that denies adds the change itself to the first group, so a window that overrides the freeze for one operation lets no
// other pass with it. The use of the window that meets the first group is recorded.
func (c *PreparedRequest) questions(s *change.State) [][]*Demand {
	var deny, others []*Demand
	for _, d := range c.demands {
		switch {
		case d.Barred:
		case c.enforced(d):
			deny = append(deny, d)
		default:
			others = append(others, d)
		}
	}
	if c.freeze(s) != nil {
		if d := c.frozenDemand(deny); c.enforced(d) {
			deny = append(deny, d)
		} else {
			others = append(others, d)
		}
	}
	var out [][]*Demand
	if len(deny) > 0 {
		out = append(out, deny)
	}
	for _, d := range others {
		out = append(out, []*Demand{d})
	}
	return out
}

// frozenDemand returns what a window must permit to override a freeze, besides the demands that deny.
func (c *PreparedRequest) frozenDemand(deny []*Demand) *Demand {
	d := &Demand{rule: v1alpha1.RuleChangeFrozen, Environments: c.concerned(), Operation: c.operation()}
	if len(deny) > 0 {
		d.Environments = inAll(deny)
	}
	if c.overscales() != "" && !c.freezable() {
		d.Operation = c.scaling() // nothing but the replicas changes
	}
	return d
}

// scaling returns the operation that a window must permit for scaling by more at once than the environment allows.
func (c *PreparedRequest) scaling() v1alpha1.Operation {
	if c.isKind(autoscalerKind(), budgetKind()) {
		return c.operation()
	}
	return v1alpha1.OperationScale
}

// operation returns the operation that a window must permit.
func (c *PreparedRequest) operation() v1alpha1.Operation {
	switch c.req.SubResource {
	case "scale":
		return v1alpha1.OperationScale
	case "exec":
		return v1alpha1.OperationExec
	case "attach":
		return v1alpha1.OperationAttach
	case "portforward":
		return v1alpha1.OperationPortForward
	case "proxy":
		return v1alpha1.OperationProxy
	case ephemeralContainers:
		return v1alpha1.OperationDebug
	}
	if c.hostLevel() && c.sessionsNeedWindows() {
		return v1alpha1.OperationDebug // kubectl debug makes such a Pod for a node
	}
	return windowOperation(c.req.Operation)
}

func windowOperation(op Operation) v1alpha1.Operation {
	switch op {
	case Create:
		return v1alpha1.OperationCreate
	case Delete:
		return v1alpha1.OperationDelete
	}
	return v1alpha1.OperationUpdate
}

// query turns demands into the question that windows are asked: whether one of them permits all the demands.
func (c *PreparedRequest) query(together []*Demand, s *change.State) *change.Query {
	q := c.question(together)
	if runs := c.new != nil && (c.new.work != nil || c.writesCustom()); runs && !slices.Equal(q.Operations, []v1alpha1.Operation{v1alpha1.OperationScale}) {
		q.Plan = c.plan(s)
	}
	q.Key = c.key(q)
	return q
}

// question returns a query without the plan: whether a window has the object in its scope depends on no ConfigMap.
func (c *PreparedRequest) question(together []*Demand) *change.Query {
	envs := inAll(together)
	q := &change.Query{
		At: c.At(), Cluster: c.est.Cluster, FirebreakNamespace: c.est.FirebreakNamespace,
		Environments: names(envs), Controls: estate.StrictestControls(inAny(together)), // the strictest of all that are concerned
		Boundary: inFirebreaks(together),
		Group:    c.inScope().Group, Kind: c.inScope().Kind, Namespace: c.req.Namespace, Name: c.req.Name,
		Operations: operations(together), Requester: c.party(), Unfit: ApproverCheck(c.est),
		// A debugger is an execution of its own; other sessions are bounded by time alone.
		Session: c.req.Operation == Connect, Debugger: c.req.SubResource == ephemeralContainers,
	}
	if c.old != nil {
		q.UID = c.old.meta.UID
	}
	if c.isKind(jobKind()) && c.new != nil {
		c.jobQuery(q)
	}
	if c.isKind(jobKind(), podKind()) && c.req.Operation == Update && c.req.SubResource == "" && c.old != nil && !c.startsAnew() {
		q.Continues = string(c.old.meta.UID)
	}
	q.Custom = c.new != nil && c.new.work == nil && c.writesCustom()
	// Until Firebreak applies what the chart's values declare, others than the holder of the window may write it.
	q.Pin, q.MustPin = c.pin(), c.firebreak()
	q.Spec = c.specified()
	for _, d := range together {
		q.Under = append(q.Under, d.Under...)
	}
	return q
}

// startsAnew reports whether a Job is resumed that may have run before: resuming it starts its Pods again. Only one that was created suspended, and
// never changed, has run nothing.
func (c *PreparedRequest) startsAnew() bool {
	return c.new != nil && c.new.work != nil && c.old.work != nil && c.old.work.Wanted == 0 && c.new.work.Wanted > 0 && c.old.meta.Generation > 1
}

// madePlan is the plan of a request, and the ConfigMaps that it was made with.
type madePlan struct {
	with map[string]map[string][]byte
	plan *change.Plan
}

// templates returns the templates that the object would run.
func (c *PreparedRequest) templates() []*workload.Template {
	switch {
	case c.new == nil:
		return nil
	case c.new.work != nil:
		return []*workload.Template{&c.new.work.Template}
	}
	return templatesOf(c.new.embedded)
}

// plan returns the plan of what would run, as a window pins it. It is made once, unless a state has other ConfigMaps.
func (c *PreparedRequest) plan(s *change.State) *change.Plan {
	contents := s.Contents(c.req.Namespace)
	with := map[string]map[string][]byte{} // the state is filled in later, so its contents are kept here, not the state
	for _, name := range change.ConfigMapsOf(c.templates()...) {
		if content, ok := contents(name); ok {
			with[name] = content
		}
	}
	if c.planned != nil && reflect.DeepEqual(c.planned.with, with) {
		return c.planned.plan
	}
	c.trace.Planned++
	c.planned = &madePlan{with, c.planWith(contents)}
	return c.planned.plan
}

func (c *PreparedRequest) planWith(contents change.Contents) *change.Plan {
	switch work := c.new.work; {
	case work == nil:
		var tree map[string]any
		if kjson.UnmarshalCaseSensitivePreserveInts(c.new.raw, &tree) != nil { // a large number is not rounded
			tree = c.new.generic()
		}
		return change.CustomPlan(tree, c.templates(), contents)
	case c.req.SubResource == ephemeralContainers:
		return change.PlanOf(workload.Debuggers(work, c.before()), contents)
	default:
		return change.PlanOf(work, contents)
	}
}

// inAll returns the environments that all demands concern.
func inAll(demands []*Demand) []*estate.Environment {
	var out []*estate.Environment
	for _, e := range demands[0].Environments {
		if !slices.ContainsFunc(demands[1:], func(d *Demand) bool { return !slices.Contains(d.Environments, e) }) {
			out = append(out, e)
		}
	}
	return out
}

// inAny returns the environments that some demand concerns.
func inAny(demands []*Demand) []*estate.Environment {
	var out []*estate.Environment
	for _, d := range demands {
		for _, e := range d.Environments {
			if !slices.Contains(out, e) {
				out = append(out, e)
			}
		}
	}
	return out
}

// inFirebreaks reports whether the window must lie in Firebreak's own namespace.
func inFirebreaks(demands []*Demand) bool {
	return slices.ContainsFunc(demands, func(d *Demand) bool { return d.Boundary || d.ClusterWide })
}

// operations returns those that a window must permit for all demands, each once.
func operations(demands []*Demand) []v1alpha1.Operation {
	var out []v1alpha1.Operation
	for _, d := range demands {
		if !slices.Contains(out, d.Operation) {
			out = append(out, d.Operation)
		}
	}
	return out
}

// firebreak reports whether the requester is Firebreak's own account, which applies what the chart's values declare.
func (c *PreparedRequest) firebreak() bool {
	return c.requester.Account == c.est.FirebreakAccount && c.requester.AccountNamespace == c.est.FirebreakNamespace
}

// pin returns the digest of what an object is to say that its window pins although it runs nothing; it is empty if the request is about none. A
// deletion is pinned only if Firebreak makes it.
func (c *PreparedRequest) pin() string {
	own := change.PinsSpec(c.req.Kind.Group, c.req.Kind.Kind)
	switch {
	case c.req.SubResource != "":
		return ""
	case !own && c.specified() != nil:
		return c.specified().Digest
	case !own:
		return ""
	case c.new == nil && c.firebreak():
		return change.SpecDigest(nil)
	case c.new == nil:
		return ""
	}
	spec, _ := c.new.generic()["spec"].(map[string]any)
	return change.SpecDigest(change.Asked(spec))
}

// specified returns the plan of what an object is to say, of a kind whose windows pin it although it runs nothing; nil: the request is about none. It is
// made once: several questions are asked of it.
func (c *PreparedRequest) specified() *change.Plan {
	if c.spec == nil && c.new != nil && c.new.work == nil && c.req.SubResource == "" && change.Pins(c.req.Kind.Group, c.req.Kind.Kind) {
		c.spec = change.ObjectPlan(c.req.Kind.Group, c.req.Kind.Kind, c.new.generic())
	}
	return c.spec
}

// before returns the workload that ran before, or nil if there was none.
func (c *PreparedRequest) before() *workload.Workload {
	if c.old == nil {
		return nil
	}
	return c.old.work
}

func names(envs []*estate.Environment) []string {
	out := make([]string, len(envs))
	for i, e := range envs {
		out[i] = e.Name
	}
	return out
}

// scheduledAt is the annotation in which the CronJob controller says when a Job was due. From any other requester it is not believed.
const scheduledAt = batchv1.CronJobScheduledTimestampAnnotation

func (c *PreparedRequest) jobQuery(q *change.Query) {
	if c.new.work != nil && c.new.work.Deadline != nil {
		q.Deadline = time.Duration(*c.new.work.Deadline) * time.Second
	}
	if !c.requester.Controller {
		return
	}
	if owner := c.new.controller(); owner != nil && owner.Kind == "CronJob" {
		q.MadeBy = &v1alpha1.Maker{Group: schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).Group, Kind: owner.Kind, Name: owner.Name}
	}
	if t, err := time.Parse(time.RFC3339, c.new.meta.Annotations[scheduledAt]); err == nil {
		q.Scheduled = &t
	}
}

func namespaceKind() schema.GroupKind { return schema.GroupKind{Kind: "Namespace"} }

func (c *PreparedRequest) wanted() int64 {
	if c.new == nil || c.new.work == nil {
		return 0
	}
	return c.new.work.Wanted
}

// boundaryEnvironments returns the Production environments of which a boundary window must name one: the one that the object is, or
// belongs to, if that is a Production one, else any.
func (c *PreparedRequest) boundaryEnvironments() []*estate.Environment {
	prod := c.est.Production()
	if own := c.ownBoundary(); own != "" {
		i := slices.IndexFunc(prod, func(e *estate.Environment) bool { return e.Name == own })
		if i >= 0 {
			return prod[i : i+1]
		}
	}
	return prod
}
