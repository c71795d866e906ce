package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/budget"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// PreparedRequest is a request that is ready to be judged. It is made once and may be decided several times, with fresher state.
type PreparedRequest struct {
	// req is an own copy of the request, in which the object's name is filled in if the review had none yet.
	req *Request
	// by are the rules that it is judged by.
	by     []Rule
	view   *ClusterView
	budget *budget.Budget
	// missing is what must be read first; it is nil if nothing is missing.
	missing *Missing
	// bare is true if only the object's identity and the cluster's use of it are read, not what it names.
	bare      bool
	est       *estate.Estate
	requester *Requester
	// membership is what the object's namespace belongs to.
	membership estate.Membership
	// new and old are the object as it is to be and as it was; either may be nil. past is the budget for reading old.
	new, old *object
	past     *budget.Budget
	// same is true if the update stores what is stored already.
	same bool
	// maintenance says why this is maintenance; it is empty if it is not. hook warns that it would be if it were not a hook.
	maintenance, hook string
	trace             Trace
	planned           *madePlan
	// spec is the plan of the spec of an object of Firebreak's own, once it was asked for.
	spec *change.Plan
	// demands are what the rules want a window for, in the order of the rules.
	demands []*Demand
	// worksOn are the Production environments whose data stores the object names if it runs something in a Shared namespace.
	worksOn []*estate.Environment
	own     firebreakObject
	// made says how the object relates to the custom resource that it is made of.
	made made
	// outsider is true if the requester is refused because they are not a member. Then no other objection that rests on the
	// requester is made: no window would help.
	outsider bool
	// runs are those that have not ended and were approved with the content of the ConfigMap that the request changes.
	runs []v1alpha1.ChangeExecution
	// elsewhere is true if the templates that the custom resource runs are in another object.
	elsewhere bool
	// accounts are the service accounts that the request takes, and how it takes them.
	accounts []types.NamespacedName
	taken    string
}

// Missing returns what must be read before the request can be decided; the request is then prepared again. It is nil if nothing is
// missing.
func (c *PreparedRequest) Missing() *Missing { return c.missing }

// Work returns how many units of work reading the object took.
func (c *PreparedRequest) Work() int { return c.budget.Units() }

// Prepare decodes a request and classifies it, to be judged by the rules of this package. The error means that the request cannot be
// judged.
func Prepare(req Request, w *ClusterView) (*PreparedRequest, error) {
	return allRules().Prepare(req, w)
}

// Prepare does the same as the function of that name, with the evaluator's rules.
func (e *Evaluator) Prepare(req Request, w *ClusterView) (*PreparedRequest, error) {
	if e == nil || len(e.rules) == 0 {
		return nil, UndecidedError{Why: "there are no rules to judge by"}
	}
	b := req.Budget
	if b == nil {
		b = budget.New()
	}
	c, err := e.prepare(&req, w, b, false)
	if err != nil && b.Exceeded() != "" && namesNothingNew(&req) {
		// It must be possible to delete an object that was stored before Firebreak was installed, or by another version of it.
		return e.prepare(&req, w, b.Beside(), true)
	}
	return c, err
}

// namesNothingNew reports whether the object is deleted, or nothing but its finalizers changes.
func namesNothingNew(req *Request) bool {
	switch req.Operation {
	case Delete:
		return true
	case Update:
		a, b := generic(req.Object), generic(req.OldObject)
		for _, o := range []map[string]any{a, b} {
			if meta, ok := o["metadata"].(map[string]any); ok {
				delete(meta, "finalizers")
			}
		}
		return a != nil && b != nil && req.SubResource == "" && reflect.DeepEqual(a, b)
	}
	return false
}

func (e *Evaluator) prepare(req *Request, w *ClusterView, b *budget.Budget, bare bool) (*PreparedRequest, error) {
	if err := w.complete(); err != nil {
		return nil, err
	}
	if !slices.Contains([]Operation{Create, Update, Delete, Connect}, req.Operation) {
		return nil, UndecidedError{fmt.Sprintf("nobody knows what operation %q does", req.Operation)}
	}
	c := &PreparedRequest{req: req, by: e.rules, view: w, est: w.Estate, budget: b, bare: bare}
	if c.requester, c.missing = w.requester(req.User); c.missing != nil {
		return c, nil
	}
	if err := c.decode(); err != nil {
		return nil, err
	}
	if c.membership, c.missing = c.placeOf(); c.missing != nil {
		return c, nil
	}
	if err := c.knownSubresource(); err != nil {
		return nil, err
	}
	if c.same {
		return c, nil
	}
	if err := c.know(); err != nil || c.missing != nil {
		return c, err
	}
	c.outsider = c.refusedAsOutsider()
	c.worksOn = c.shared()
	c.classify()
	for _, r := range c.by {
		c.trace.Demanded++
		if d := r.Demand(c); d != nil {
			d.rule = r.Name()
			c.demands = append(c.demands, d)
		}
	}
	if l := c.budget.Exceeded(); l != "" {
		return nil, tooMuch(l)
	}
	return c, nil
}

// decode reads both states of the object. The body of a CONNECT is not an object of the cluster, so errors in it do not count.
func (c *PreparedRequest) decode() error {
	if c.same = c.req.Operation == Update && c.req.SubResource == "" && sameAsStored(c.req.Object, c.req.OldObject); c.same {
		return c.unchanged()
	}
	var err error
	all := whole(c.req) && !c.bare
	if c.new, err = decode(c.req.Kind.GroupKind(), c.req.Object, all, c.budget); err != nil && c.req.Operation != Connect {
		return err
	}
	c.past = c.budget.Beside()
	if c.old, err = decode(c.req.Kind.GroupKind(), c.req.OldObject, all, c.past); err != nil && c.req.Operation != Connect && (c.past.Exceeded() == "" || c.req.Operation == Update) {
		return err
	}
	return c.complete()
}

// know finds out what the object names, and what the objects that it names say.
func (c *PreparedRequest) know() error {
	if err := c.extract(); err != nil {
		return err
	}
	c.elsewhere = c.new != nil && c.new.tree != nil && runsElsewhere(c.req.Kind.Kind, c.new.tree, c.new.embedded)
	c.accounts, c.taken = c.accountsTaken()
	if err := c.knownRole(); err != nil {
		return err
	}
	var err error
	if c.own, err = c.decodeFirebreakObject(); err != nil {
		return err
	}
	c.knownOwner()
	c.knownTarget()
	c.knownRuns()
	return nil
}

// extract finds the references in both states of the object.
func (c *PreparedRequest) extract() error {
	if c.req.Kind.Group == v1alpha1.GroupName {
		return nil // data stores and windows name what they protect
	}
	if c.req.Operation == Connect {
		return c.readSession()
	}
	if c.bare {
		return nil
	}
	if err := c.read(c.new, c.budget); err != nil {
		return err
	}
	if err := c.read(c.old, c.past); err != nil && c.past.Exceeded() == "" {
		return err
	}
	if c.old != nil && c.past.Exceeded() != "" {
		// Nobody can tell what the stored object names, so all that the new one names counts as new.
		c.old.refs, c.old.embedded, c.old.tree = nil, nil, nil
	}
	if c.new != nil && c.req.Kind.Kind == "Binding" {
		c.new.refs = append(c.new.refs, bound(c.new)...)
	}
	return nil
}

// readSession reads the command that an exec runs, which acts as its Pod.
func (c *PreparedRequest) readSession() error {
	if c.req.SubResource != "exec" || len(c.req.Options) == 0 {
		return nil
	}
	var o corev1.PodExecOptions
	if err := kjson.UnmarshalCaseSensitivePreserveInts(c.req.Options, &o); err != nil {
		return fmt.Errorf("decode PodExecOptions: %w", err)
	}
	in := c.input()
	in.Command = o.Command
	found := reference.ExtractAll(in)
	if found.Limit != "" {
		return tooMuch(found.Limit)
	}
	c.new = &object{refs: found.References}
	return nil
}

// bound returns a reference to the node that a Binding puts a Pod on.
func bound(o *object) []reference.Reference {
	var b corev1.Binding
	if kjson.UnmarshalCaseSensitivePreserveInts(o.raw, &b) != nil || b.Target.Name == "" {
		return nil
	}
	return []reference.Reference{{Target: reference.Target{Kind: reference.Node, Name: b.Target.Name}, Use: reference.Places, Path: "target.name", Text: b.Target.Name}}
}

// complete fills in the object's name if it was not generated yet when the review was made, and refuses reviews without the object that
// their operation must carry.
func (c *PreparedRequest) complete() error {
	if c.req.Operation == Connect {
		return nil
	}
	o := c.new
	if c.req.Operation == Delete {
		o = c.old
	}
	if o == nil || c.req.Operation == Update && c.old == nil {
		return errNoObject
	}
	if c.req.Name == "" {
		c.req.Name = o.meta.Name
	}
	if c.req.Name == "" {
		c.req.Name = o.meta.GenerateName
	}
	return nil
}

func (c *PreparedRequest) placeOf() (estate.Membership, *Missing) {
	r := c.req
	if r.Kind.GroupKind() == (schema.GroupKind{Kind: "Namespace"}) {
		if c.old != nil {
			return c.est.NamespaceWith(r.Name, c.old.labels()), nil
		}
		return c.est.NamespaceWith(r.Name, c.new.labels()), nil
	}
	if r.Namespace == "" {
		return estate.Membership{Tier: v1alpha1.TierShared}, nil
	}
	if m, ok := c.est.Namespace(r.Namespace); ok {
		return m, nil
	}
	if !r.Facts.NamespaceRead {
		return estate.Membership{}, &Missing{Namespace: r.Namespace}
	}
	return c.est.NamespaceWith(r.Namespace, r.Facts.NamespaceLabels), nil
}

// At returns the instant as of which the request is judged. For a CREATE it is the object's own creationTimestamp, which the API server
// has set and nobody can forge, so that all replicas agree.
func (c *PreparedRequest) At() time.Time {
	if c.req.Operation == Create && !c.req.Stored && c.new != nil && !c.new.meta.CreationTimestamp.IsZero() {
		return c.new.meta.CreationTimestamp.Time
	}
	return c.req.Now
}

// Production returns the Production environments that the object's namespace belongs to.
func (c *PreparedRequest) Production() []*estate.Environment { return c.membership.Production() }

// party returns the requester as windows see it.
func (c *PreparedRequest) party() change.Party {
	return change.Party{
		Username: c.requester.Username, UID: c.requester.UID, Groups: c.requester.Groups,
		Person: c.requester.Person, Controller: c.requester.Controller, Borrowed: c.requester.Borrowed,
	}
}

// ApproverCheck returns a check of approvers by an estate: an approver must be a person, that is neither a service account nor listed as
// automation, and still a member of the environment that the approval is about.
func ApproverCheck(e *estate.Estate) change.ApproverCheck {
	return func(environment string, by *v1alpha1.Stamp) string {
		id := e.Identity(by.Username, by.Groups)
		switch {
		case strings.HasPrefix(by.Username, "system:"), id.Automation: // "system:": accounts, nodes, the control plane's own users
			return fmt.Sprintf("%s is not a person", by.Username)
		case !id.MemberOf(environment):
			return fmt.Sprintf("%s is not a member of environment %q", by.Username, environment)
		}
		return ""
	}
}

// refs returns the references of the object as it is to be.
func (c *PreparedRequest) refs() []reference.Reference {
	if c.new == nil {
		return nil
	}
	return c.new.refs
}

func (c *PreparedRequest) isKind(kinds ...schema.GroupKind) bool {
	return slices.Contains(kinds, c.req.Kind.GroupKind())
}

// operates reports whether the requester is listed as an operator, or as a launcher of Jobs, of the object's
// environment. Somebody who acts as such an account is neither: what is routine for a machine is not routine for them.
func (c *PreparedRequest) operates() bool {
	return !c.requester.impersonated() && anyListed(c.requester.Operator, c.membership.Environments)
}

func (c *PreparedRequest) launches() bool {
	return !c.requester.impersonated() && anyListed(c.requester.JobLauncher, c.membership.Environments)
}

func anyListed(listed map[string]bool, envs []*estate.Environment) bool {
	return slices.ContainsFunc(envs, func(e *estate.Environment) bool { return listed[e.Name] })
}
