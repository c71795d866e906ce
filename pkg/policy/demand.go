package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// demands says what only a window can permit; nil: the request is in nobody's way.
func (c *Case) demands() *demand {
	if why := c.weakening(); why != "" {
		return &demand{
			rule: v1alpha1.RuleBoundaryTampering, why: why, boundary: true,
			environments: c.boundaryEnvironments(), operation: c.operation(),
		}
	}
	if what, op := c.session(); what != "" && !c.operates() && estate.StrictestControls(c.Production()).InteractiveAccess == v1alpha1.InteractiveWindowRequired {
		return &demand{rule: v1alpha1.RuleInteractiveAccess, why: what, environments: c.Production(), operation: op}
	}
	if envs, why := c.endangers(); why != "" && !c.requester.Controller {
		return &demand{rule: v1alpha1.RuleProtectedState, why: why, environments: envs, operation: c.operation(), clusterWide: c.req.Namespace == "" || c.isKind(namespaceKind())}
	}
	if why := c.blast(); why != "" && !c.scalesByItself() && c.maintenance == "" {
		return &demand{rule: v1alpha1.RuleBlastRadius, why: why, environments: c.Production(), operation: c.scaling()}
	}
	if c.maintenance != "" {
		return &demand{
			rule: v1alpha1.RuleChangeWindowRequired, why: c.maintenance,
			environments: c.concerned(), operation: c.operation(), clusterWide: c.req.Namespace == "",
		}
	}
	if why := c.whyScoped(); why != "" {
		return &demand{rule: v1alpha1.RuleChangeWindowRequired, why: why, scoped: true, environments: c.Production(), operation: c.operation()}
	}
	return nil
}

// scaling is what a window must let happen for more to be scaled at once than the environment allows.
func (c *Case) scaling() v1alpha1.Operation {
	if c.isKind(autoscalerKind(), budgetKind()) {
		return c.operation()
	}
	return v1alpha1.OperationScale
}

// operation is what a window must let happen.
func (c *Case) operation() v1alpha1.Operation {
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

// asked is what windows are asked for: what the request demands, else whether one overrides the freeze that binds it.
func (c *Case) asked(s *change.State) *demand {
	if c.demand != nil || c.freeze(s) == nil {
		return c.demand
	}
	return &demand{rule: v1alpha1.RuleChangeFrozen, environments: c.concerned(), operation: c.operation()}
}

// query turns a demand into the question that windows are asked.
func (c *Case) query(d *demand, s *change.State) *change.Query {
	q := &change.Query{
		At: c.At(), Cluster: c.est.Cluster, FirebreakNamespace: c.est.FirebreakNamespace,
		Environments: names(d.environments), Controls: estate.StrictestControls(d.environments),
		Boundary: d.boundary || d.clusterWide,
		Group:    c.inScope().Group, Kind: c.inScope().Kind, Namespace: c.req.Namespace, Name: c.req.Name,
		Operation: d.operation, Requester: c.party(), Unfit: Unfit(c.est),
		// A debugger is an execution of its own; what else opens a session is bounded by time alone.
		Session: c.req.Operation == Connect, Debugger: c.req.SubResource == ephemeralContainers,
	}
	switch {
	case c.new == nil || c.new.work == nil || d.operation == v1alpha1.OperationScale:
	case c.req.SubResource == ephemeralContainers:
		q.Plan = change.PlanOf(workload.Debuggers(c.new.work, c.before()), s.Contents(c.req.Namespace))
	default:
		q.Plan = change.PlanOf(c.new.work, s.Contents(c.req.Namespace))
	}
	if c.isKind(jobKind()) && c.new != nil {
		c.jobQuery(q)
	}
	// What the values declare may be written by others than who has a window for it, until it is applied.
	q.Pin, q.MustPin = c.pin(), c.firebreak()
	q.Key = c.key(q)
	return q
}

// firebreak: its own account asks, which applies what the values declare.
func (c *Case) firebreak() bool {
	return c.requester.Account == c.est.FirebreakAccount && c.requester.AccountNamespace == c.est.FirebreakNamespace
}

// pin is the digest of what an Environment or DataStore is to say; empty: the request is about none. That one is taken away
// is pinned where Firebreak does it.
func (c *Case) pin() string {
	switch {
	case c.own.environment == nil && c.own.store == nil && c.own.oldEnvironment == nil && c.own.oldStore == nil:
		return ""
	case c.new == nil && c.firebreak():
		return change.SpecDigest(nil)
	case c.new == nil:
		return ""
	}
	return change.SpecDigest(generic(c.new.raw)["spec"])
}

// before is what ran before; nil: nothing did.
func (c *Case) before() *workload.Workload {
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

// scheduledAt is the annotation in which the cronjob controller says when a Job was due. From anybody else it is
// worth nothing.
const scheduledAt = batchv1.CronJobScheduledTimestampAnnotation

func (c *Case) jobQuery(q *change.Query) {
	var job batchv1.Job
	if kjson.UnmarshalCaseSensitivePreserveInts(c.new.raw, &job) == nil && job.Spec.ActiveDeadlineSeconds != nil {
		q.Deadline = time.Duration(*job.Spec.ActiveDeadlineSeconds) * time.Second
	}
	if !c.requester.Controller {
		return
	}
	if t, err := time.Parse(time.RFC3339, c.new.meta.Annotations[scheduledAt]); err == nil {
		q.Scheduled = &t
	}
}

// key makes a repeat of the same request the same execution. The request's own UID is never part of it: it differs
// from one try of the API server to the next.
func (c *Case) key(q *change.Query) string {
	if q.Session {
		// A session is recorded once a person, object and container: every one that is denied arrives twice.
		sum := sha256.Sum256([]byte(strings.Join([]string{c.req.Username(), c.req.User.UID, c.req.Namespace, c.req.Resource.Resource, c.req.Name, c.req.SubResource, containerOf(c.req.Options)}, "\x00")))
		return "sha256-" + hex.EncodeToString(sum[:])
	}
	if c.req.Operation == Create && c.new.meta.UID != "" {
		return string(c.new.meta.UID)
	}
	h := sha256.New()
	o := c.old
	if o == nil {
		o = c.new
	}
	asked := sha256.Sum256(c.req.Object)
	if q.Plan != nil {
		asked = sha256.Sum256([]byte(q.Plan.Digest + fmt.Sprint(c.wanted())))
	}
	fmt.Fprintf(h, "%s\x00%d\x00%s\x00%s\x00%x", o.meta.UID, o.meta.Generation, c.req.Operation, c.req.SubResource, asked)
	return "sha256-" + hex.EncodeToString(h.Sum(nil))
}

func namespaceKind() schema.GroupKind { return schema.GroupKind{Kind: "Namespace"} }

// containerOf reads which container a session is opened in.
func containerOf(options []byte) string {
	var o struct {
		Container string `json:"container"`
	}
	_ = kjson.UnmarshalCaseSensitivePreserveInts(options, &o) // what cannot be read names none
	return o.Container
}

func (c *Case) wanted() int64 {
	if c.new == nil || c.new.work == nil {
		return 0
	}
	return c.new.work.Wanted
}

// boundaryEnvironments are the Production environments one of which a boundary window must name: the object's own
// where it is one, else any.
func (c *Case) boundaryEnvironments() []*estate.Environment {
	prod := c.est.Production()
	if own := c.ownBoundary(); own != "" {
		i := slices.IndexFunc(prod, func(e *estate.Environment) bool { return e.Name == own })
		if i >= 0 {
			return prod[i : i+1]
		}
	}
	return prod
}
