package policy

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// UID returns the UID of the object; empty where the request carries none.
func (c *PreparedRequest) UID() types.UID {
	for _, o := range []*object{c.new, c.old} {
		if o != nil && o.meta.UID != "" {
			return o.meta.UID
		}
	}
	return ""
}

// Existing returns the UIDs of objects that the request proves to exist: of the object before an update or a
// deletion, and of the owner that Kubernetes' own controllers name.
func (c *PreparedRequest) Existing() []types.UID {
	var out []types.UID
	if c.old != nil && c.old.meta.UID != "" {
		out = append(out, c.old.meta.UID)
	}
	if o := c.Owner(); o != nil {
		out = append(out, o.UID)
	}
	return out
}

// Owner returns the controlling owner of the object, if one of Kubernetes' own controllers names it; from anybody else
// an owner reference is not believed.
func (c *PreparedRequest) Owner() *metav1.OwnerReference {
	if !c.requester.Controller {
		return nil
	}
	return c.new.controller()
}

// Trace counts what judging a request has taken so far.
type Trace struct {
	// Decoded is how often the JSON of the object, in both its states, was decoded.
	Decoded int
	// Demanded and Judged count the rules that were asked what they demand a window for, and what they object to.
	Demanded, Judged int
	// Planned is how often it was worked out what would run.
	Planned int
}

// Trace returns what judging the request has taken so far.
func (c *PreparedRequest) Trace() Trace {
	out := c.trace
	for _, o := range []*object{c.new, c.old} {
		if o != nil {
			out.Decoded += o.passes
		}
	}
	return out
}

// FromController reports whether one of Kubernetes' own controllers sent the request.
func (c *PreparedRequest) FromController() bool { return c.requester.Controller }

// Request returns what is judged: the request as it came, with the facts that were read for it, and with the name of the object where the
// request had none.
func (c *PreparedRequest) Request() Request { return *c.req }

// Requester returns who sent the request, and what of the estate they are members of.
func (c *PreparedRequest) Requester() *Requester { return c.requester }

// View returns what the request is judged by.
func (c *PreparedRequest) View() *ClusterView { return c.view }

// References returns what the object names as it is to be; nil where it goes.
func (c *PreparedRequest) References() []reference.Reference { return c.refs() }

// Stored returns what the object names as it is stored; nil where it is new.
func (c *PreparedRequest) Stored() []reference.Reference {
	if c.old == nil {
		return nil
	}
	return c.old.refs
}
