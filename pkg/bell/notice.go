package bell

import (
	"time"
)

// Kind is what a notice is about.
type Kind string

// The kinds of notices.
const (
	Requested  Kind = "requested"
	Approved   Kind = "approved"
	Rejected   Kind = "rejected"
	Opening    Kind = "opening"
	Closing    Kind = "closing"
	Unused     Kind = "unused"
	Frozen     Kind = "frozen"
	Lifted     Kind = "lifted"
	Emergency  Kind = "emergency"
	Unreviewed Kind = "unreviewed"
	Expiring   Kind = "expiring"
	Weakening  Kind = "weakening"
	Restored   Kind = "restored"
)

// Kinds returns all kinds of notices, in the order of the documentation.
func Kinds() []Kind {
	return []Kind{Requested, Approved, Rejected, Opening, Closing, Unused, Frozen, Lifted, Emergency, Unreviewed, Expiring, Weakening, Restored}
}

// Notice is one thing that people should be told, once.
type Notice struct {
	Kind Kind `json:"kind"`
	// ID tells this notice from all others, over replicas and restarts.
	ID string `json:"id"`
	// At is when it became due.
	At time.Time `json:"at"`
	// Environments and Namespace are what it is about; targets are chosen by them.
	Environments []string `json:"environments,omitempty"`
	Namespace    string   `json:"namespace,omitempty"`
	// ObjectKind, Object and UID name the object that an Event is about.
	ObjectKind string `json:"objectKind"`
	Object     string `json:"object"`
	UID        string `json:"uid,omitempty"`
	// Who did it, Reason and Ticket are what they wrote, without credentials.
	Who    string `json:"who,omitempty"`
	Reason string `json:"reason,omitempty"`
	Ticket string `json:"ticket,omitempty"`
	// Opens and Closes are those of a window, or the interval of a freeze.
	Opens  *time.Time `json:"opens,omitempty"`
	Closes *time.Time `json:"closes,omitempty"`
	// Says is a clause of Firebreak's own, such as which approvals count.
	Says string `json:"says,omitempty"`
	// Command is what the reader may want to run.
	Command string `json:"command,omitempty"`
	// Cluster is the name of the cluster, and Link the address of the page about it, if there is one.
	Cluster string `json:"cluster"`
	Link    string `json:"link,omitempty"`
}
