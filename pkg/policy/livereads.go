package policy

import (
	"slices"

	"github.com/firebreak-dev/firebreak/pkg/change"
)

// LiveReads says what must be read live before a request can be decided.
type LiveReads struct {
	// Freezes is true if the freezes must be read.
	Freezes bool
	// Windows is true if windows must be read: those in the object's namespace, if it has one, and those in Firebreak's own.
	Windows bool
	// WindowNamespace and WindowName name the one window that an approval is about; they are empty if there is none.
	WindowNamespace, WindowName string
	// Delegations is true if the delegations of that window's namespace must be read: the approval names one of them.
	Delegations bool
	// ConfigMaps are the names, in the object's namespace, of those that a window's plan may pin.
	ConfigMaps []string
}

// Any reports whether anything must be read.
func (n LiveReads) Any() bool { return n.Freezes || n.Windows || n.WindowName != "" }

// LiveReads says what must be read live. Most requests need nothing.
func (c *PreparedRequest) LiveReads() LiveReads {
	if c.same || c.missing != nil {
		return LiveReads{}
	}
	windowed := slices.DeleteFunc(slices.Clone(c.demands), func(d *Demand) bool { return d.Barred })
	n := LiveReads{
		Freezes: c.freezable() || c.stoppable() && !c.knownUnfrozen() || slices.ContainsFunc(windowed, func(d *Demand) bool { return !d.Boundary }),
		Windows: len(windowed) > 0 || c.whyRunsAreMaintenance() != "",
	}
	if n.Windows {
		n.ConfigMaps = change.ConfigMapsOf(c.templates()...)
	}
	n.WindowNamespace, n.WindowName = c.ownWindow()
	n.Delegations = n.WindowName != "" && c.own.approval != nil && c.own.approval.Spec.OnBehalfOf != nil
	return n
}

// Frozen reports whether a freeze binds the request: only then are windows read for one that demands none.
func (c *PreparedRequest) Frozen(s *change.State) bool { return c.freeze(s) != nil }

// Questions returns the questions that windows are asked, without plans and keys; there are none if the request demands no window. The
// state gives the freezes. It serves to find the windows that have the object in scope before the ConfigMaps that a plan pins are read.
func (c *PreparedRequest) Questions(s *change.State) []*change.Query {
	var out []*change.Query
	for _, together := range c.questions(s) {
		out = append(out, c.question(together))
	}
	return out
}

// Queries returns the questions that windows are asked; there are none if the request demands no window. The state gives the freezes, and
// the contents of the ConfigMaps that the plan pins.
func (c *PreparedRequest) Queries(s *change.State) []*change.Query {
	var out []*change.Query
	for _, together := range c.questions(s) {
		out = append(out, c.query(together, s))
	}
	return out
}
