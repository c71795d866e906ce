package policy

import (
	"slices"

	"github.com/firebreak-dev/firebreak/pkg/change"
)

// LiveReads says what must be read live before a request can be decided.
type LiveReads struct {
	// Freezes must be read.
	Freezes bool
	// Windows must be read: those of the object's namespace (empty: none) and those of Firebreak's own.
	Windows bool
	// Window is one window, by namespace and name, that an approval is about; empty: none.
	WindowNamespace, WindowName string
	// ConfigMaps, by name in the object's namespace, that a window's plan may pin.
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
		Windows: len(windowed) > 0,
	}
	if n.Windows && c.new != nil && c.new.work != nil {
		n.ConfigMaps = change.ConfigMapsOf(&c.new.work.Template)
	}
	n.WindowNamespace, n.WindowName = c.ownWindow()
	return n
}

// Frozen reports whether a freeze binds the request: only then are windows read for one that demands none.
func (c *PreparedRequest) Frozen(s *change.State) bool { return c.freeze(s) != nil }

// Questions returns what windows are asked, without plans and keys; none: the request demands no window. The state gives the freezes. It is
// for those who look for the windows that have the object in scope before they read the ConfigMaps that a plan pins.
func (c *PreparedRequest) Questions(s *change.State) []*change.Query {
	var out []*change.Query
	for _, together := range c.questions(s) {
		out = append(out, c.question(together))
	}
	return out
}

// Queries returns the questions that windows are asked; none: the request demands no window. The state gives the freezes, and the contents
// of ConfigMaps that the plan pins.
func (c *PreparedRequest) Queries(s *change.State) []*change.Query {
	var out []*change.Query
	for _, together := range c.questions(s) {
		out = append(out, c.query(together, s))
	}
	return out
}
