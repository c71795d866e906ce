package policy

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// Missing is what must be read from the cluster before a request can be judged, since it is not remembered. One field is set. The caller
// reads it, puts the answer into the request's Facts and prepares the request again.
type Missing struct {
	// Namespace is one whose labels are not known yet.
	Namespace string
	// Controller is a service account of kube-system whose UID is not known yet. Its answer goes into the ClusterView.
	Controller string
	// Role is the one that a binding binds, and that may have been written a moment ago.
	Role *MissingRole
	// Contents are ConfigMaps and Secrets that are too large to be remembered.
	Contents *MissingContents
	// Owner is the custom resource that an automation names as the owner of an object that it makes.
	Owner *MissingOwner
	// Scale is that of the workload that an autoscaler scales: a custom resource, or a workload that was made a moment ago.
	Scale *MissingScale
	// Runs are those that were admitted with the content of a ConfigMap that is to change, and may have ended since.
	Runs []v1alpha1.ExecutedObject
}

// MissingRole names a role; its Namespace is empty for a ClusterRole.
type MissingRole struct{ Namespace, Name string }

// MissingContents names ConfigMaps and Secrets of a namespace.
type MissingContents struct {
	Namespace string
	Of        []reference.Via
}

// MissingOwner names the owner of an object in a namespace.
type MissingOwner struct {
	Namespace string
	metav1.OwnerReference
}

// MissingScale names a workload in a namespace.
type MissingScale struct {
	Namespace string
	ScaleTarget
}

// String says, as a clause, what is not known.
func (m *Missing) String() string {
	switch {
	case m.Controller != "":
		return fmt.Sprintf("service account kube-system/%s is not known yet", m.Controller)
	case m.Role != nil:
		return fmt.Sprintf("role %q is not known yet", m.Role.Name)
	case m.Contents != nil:
		return m.Contents.String()
	case m.Owner != nil:
		return fmt.Sprintf("%s %q is not known yet", m.Owner.Kind, m.Owner.Name)
	case m.Scale != nil:
		return fmt.Sprintf("the scale of %s %q is not known yet", m.Scale.Kind, m.Scale.Name)
	case m.Runs != nil:
		return fmt.Sprintf("whether %s %q has ended is not known yet", m.Runs[0].Kind, m.Runs[0].Name)
	}
	return fmt.Sprintf("namespace %q is not known yet", m.Namespace)
}

// String says, as a clause, which contents cannot be read, and what to do about it.
func (m *MissingContents) String() string {
	names := make([]string, len(m.Of))
	for i, v := range m.Of {
		names[i] = fmt.Sprintf("%s %q", v.Kind, v.Name)
	}
	return fmt.Sprintf("%s cannot be read for what it names: it is too large; split it, or take out of it what no program reads", enumerate(names))
}

// lack notes what is missing, unless something was noted before: that is read first.
func (c *PreparedRequest) lack(m Missing) {
	if c.missing == nil {
		c.missing = &m
	}
}

// Facts is what was read for one request because it was missing.
type Facts struct {
	// NamespaceLabels are the labels of the object's namespace, once NamespaceRead is set.
	NamespaceLabels map[string]string
	NamespaceRead   bool
	// Role is the one that a binding binds. It is nil with RoleRead set if it does not exist.
	Role     *Role
	RoleRead bool
	// Contents are those of ConfigMaps and Secrets of the object's namespace, by a Via without a Key. It is nil if none were read.
	Contents map[reference.Via]reference.Contents
	// Owner is the custom resource that controls the object; it is nil if it was not read.
	Owner *OwnerObject
	// Scale is that of the workload that an autoscaler scales; it is nil if it was not read.
	Scale *TargetScale
	// Running are the UIDs of the runs in question that have not ended, once RunsRead is set.
	Running  []types.UID
	RunsRead bool
}

// Reader reads what is missing into the facts. The view tells which targets matter.
type Reader interface {
	Read(ctx context.Context, m *Missing, w *ClusterView, f *Facts) error
}

// maxRounds is how often a request is prepared: once for each field of Missing, and once more.
const maxRounds = 8

// PrepareWith prepares a request, and has the reader read what is missing into the Facts of its own copy of the request. An UndecidedError
// says that the facts change faster than they can be judged, or that they are too much; any other error is that of the reader, or of
// Prepare.
func PrepareWith(ctx context.Context, req Request, w *ClusterView, r Reader) (*PreparedRequest, error) {
	for range maxRounds {
		c, err := Prepare(req, w)
		if err != nil || c.Missing() == nil {
			return c, err
		}
		if m := c.Missing().Contents; m != nil && (req.Facts.Contents != nil || len(m.Of) > maxContents) {
			return nil, UndecidedError{Why: m.String()}
		}
		if err := r.Read(ctx, c.Missing(), w, &req.Facts); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Missing(), err)
		}
	}
	return nil, UndecidedError{Why: "what was read about it changes faster than it can be judged; try again"}
}

// maxContents is how many ConfigMaps and Secrets are read for one request.
const maxContents = 16
