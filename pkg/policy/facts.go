package policy

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// UID returns the UID of the object; empty where the request carries none.
func (c *Case) UID() types.UID {
	for _, o := range []*object{c.new, c.old} {
		if o != nil && o.meta.UID != "" {
			return o.meta.UID
		}
	}
	return ""
}

// Existing returns the UIDs of objects that the request proves to exist: of the object before an update or a
// deletion, and of the owner that Kubernetes' own controllers name.
func (c *Case) Existing() []types.UID {
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
func (c *Case) Owner() *metav1.OwnerReference {
	if !c.requester.Controller {
		return nil
	}
	return c.new.controller()
}

// FromController reports whether one of Kubernetes' own controllers sent the request.
func (c *Case) FromController() bool { return c.requester.Controller }
