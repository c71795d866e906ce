package policy

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// UID returns the UID of the object; it is empty if the request carries none.
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

// Owner returns the controlling owner of the object if one of Kubernetes' own controllers names it, else nil: an owner reference from any
// other requester is not believed.
func (c *PreparedRequest) Owner() *metav1.OwnerReference {
	if !c.requester.Controller {
		return nil
	}
	return c.new.controller()
}

// Trace counts the work that judging a request has taken so far.
type Trace struct {
	// Decoded is how often the JSON of the object, in both its states, was decoded.
	Decoded int
	// Demanded and Judged count the rules that were asked what they demand a window for, and what they object to.
	Demanded, Judged int
	// Planned is how often the plan was made.
	Planned int
}

// Trace returns the work that judging the request has taken so far.
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

// Request returns the judged request: as it came, with the facts that were read for it, and with the name of the object if the request had
// none.
func (c *PreparedRequest) Request() Request { return *c.req }

// Requester returns the requester, with their memberships in the estate.
func (c *PreparedRequest) Requester() *Requester { return c.requester }

// View returns the view of the cluster by which the request is judged.
func (c *PreparedRequest) View() *ClusterView { return c.view }

// References returns the references of the object as it is to be, or nil if it is deleted.
func (c *PreparedRequest) References() []reference.Reference { return c.refs() }

// Stored returns the references of the object as it is stored, or nil if it is new.
func (c *PreparedRequest) Stored() []reference.Reference {
	if c.old == nil {
		return nil
	}
	return c.old.refs
}
