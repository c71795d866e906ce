package policy

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy/boundary"
)

// firebreakObject is an object of one of Firebreak's own kinds, before and after; at most one pair is set.
type firebreakObject struct {
	environment, oldEnvironment *v1alpha1.Environment
	store, oldStore             *v1alpha1.DataStore
	window                      *v1alpha1.ChangeWindow
	approval, oldApproval       *v1alpha1.ChangeApproval
	freeze, oldFreeze           *v1alpha1.ChangeFreeze
	exemption, oldExemption     *v1alpha1.Exemption
	delegation                  *v1alpha1.ChangeDelegation
}

func (c *PreparedRequest) decodeFirebreakObject() (firebreakObject, error) {
	var o firebreakObject
	if c.req.Kind.Group != v1alpha1.GroupName || c.req.SubResource != "" {
		return o, nil
	}
	var err error
	switch c.req.Kind.Kind {
	case v1alpha1.KindEnvironment:
		o.environment, o.oldEnvironment, err = pair[v1alpha1.Environment](c)
	case v1alpha1.KindDataStore:
		o.store, o.oldStore, err = pair[v1alpha1.DataStore](c)
	case v1alpha1.KindChangeWindow:
		o.window, _, err = pair[v1alpha1.ChangeWindow](c)
	case v1alpha1.KindChangeDelegation:
		o.delegation, _, err = pair[v1alpha1.ChangeDelegation](c)
	case v1alpha1.KindChangeApproval:
		o.approval, o.oldApproval, err = pair[v1alpha1.ChangeApproval](c)
	case v1alpha1.KindChangeFreeze:
		o.freeze, o.oldFreeze, err = pair[v1alpha1.ChangeFreeze](c)
	case v1alpha1.KindExemption:
		o.exemption, o.oldExemption, err = pair[v1alpha1.Exemption](c)
	}
	return o, err
}

func pair[T any](c *PreparedRequest) (object, old *T, err error) {
	if object, err = unmarshalOwn[T](c.new); err != nil {
		return nil, nil, err
	}
	old, err = unmarshalOwn[T](c.old)
	return object, old, err
}

func unmarshalOwn[T any](o *object) (*T, error) {
	if o == nil {
		return nil, nil
	}
	out := new(T)
	if err := kjson.UnmarshalCaseSensitivePreserveInts(o.raw, out); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	return out, nil
}

// ownWindow names the window that an approval is about, which must be read live before the approval can be judged. The names are empty if
// there is nothing to read.
func (c *PreparedRequest) ownWindow() (namespace, name string) {
	if w := c.own.window; w != nil && c.req.Operation == Create && w.Spec.Extends != nil {
		return c.req.Namespace, w.Spec.Extends.Name
	}
	a := c.own.approval
	if c.req.Operation == Delete {
		if a = c.own.oldApproval; a != nil && a.Spec.Decision != v1alpha1.DecisionReject {
			return "", ""
		}
	} else if c.req.Operation != Create {
		return "", ""
	}
	if a == nil || a.Spec.Window == nil {
		return "", ""
	}
	return c.req.Namespace, a.Spec.Window.Name
}

// aboutWindow returns the window that an approval is about, by its name and UID, or nil if that window is not there.
func aboutWindow(a *v1alpha1.ChangeApproval, s *change.State) *v1alpha1.ChangeWindow {
	for i := range s.Windows {
		w := &s.Windows[i]
		if a.Spec.Window != nil && w.Name == a.Spec.Window.Name && string(w.UID) == a.Spec.Window.UID {
			return w
		}
	}
	return nil
}

// ownEnvironments returns the Production environments that an object of Firebreak's own kinds names although it does not lie in one of
// their namespaces: a window in Firebreak's namespace, or a freeze that is lifted.
func (c *PreparedRequest) ownEnvironments() []*estate.Environment {
	var names []string
	switch {
	case c.own.window != nil && c.req.Operation == Create:
		names = []string{c.own.window.Spec.Environment}
	case c.own.oldFreeze != nil && c.req.Operation == Delete:
		names = c.own.oldFreeze.Spec.Environments
	}
	var out []*estate.Environment
	for _, n := range names {
		if e, ok := c.est.Environment(n); ok && e.Tier == v1alpha1.TierProduction {
			out = append(out, e)
		}
	}
	return out
}

// validateOwn returns the errors in an object of Firebreak's own kinds.
func (c *PreparedRequest) validateOwn(s *change.State) field.ErrorList {
	o := &c.own
	switch {
	case c.req.Operation == Delete:
		return c.validateDelete(s)
	case o.environment != nil:
		return ValidateEnvironment(o.environment)
	case o.store != nil:
		return ValidateDataStore(o.store)
	case c.req.Operation != Create:
		return nil // the other specs are immutable: the CRDs see to it
	case o.window != nil:
		return c.validateWindow(o.window, s)
	case o.approval != nil:
		return c.validateApproval(o.approval, s)
	case o.freeze != nil:
		return c.validateFreeze(o.freeze)
	case o.exemption != nil:
		return c.validateExemption(o.exemption)
	case o.delegation != nil:
		return c.validateDelegation(&o.delegation.Spec)
	}
	return nil
}

func (c *PreparedRequest) validateDelete(s *change.State) field.ErrorList {
	if a := c.own.oldApproval; a != nil && a.Spec.Decision == v1alpha1.DecisionReject && !c.requester.Controller &&
		aboutWindow(a, s) != nil {
		return field.ErrorList{field.Forbidden(field.NewPath("spec", "decision"), fmt.Sprintf(
			"a rejection cannot be taken back while change window %q exists; delete the window and request another", a.Spec.Window.Name))}
	}
	if f := c.own.oldFreeze; f != nil && f.Spec.LiftedBy == v1alpha1.LiftedByTwoPersons && change.Holds(f, c.At()) {
		return field.ErrorList{field.Forbidden(field.NewPath("spec", "liftedBy"),
			"this freeze is lifted by two persons, not by deleting it")}
	}
	return nil
}

// standingWeakenings says how a change of an Exemption or a ChangeFreeze would weaken the boundary.
func (o *firebreakObject) standingWeakenings() []string {
	switch {
	case o.exemption != nil || o.oldExemption != nil:
		return boundary.WeakensExemption(o.oldExemption, o.exemption)
	case o.freeze != nil || o.oldFreeze != nil:
		return boundary.WeakensFreeze(o.oldFreeze, o.freeze)
	}
	return nil
}
