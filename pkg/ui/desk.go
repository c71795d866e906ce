package ui

import (
	"context"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/overview"
)

// Desk reads and acts in one cluster with the rights of one viewer. What the viewer may not see is said in Notes, and is no error; an error means that the
// API server has not answered, or has refused an act, in its words.
type Desk interface {
	Now(ctx context.Context) (*Now, error)
	Waiting(ctx context.Context) (*Waiting, error)
	Window(ctx context.Context, namespace, name string) (*Window, error)
	// Approve approves a window as the viewer, who has typed the name of its environment. unseen approves though the window does not say all that it pins.
	Approve(ctx context.Context, w Word) error
	// Reject rejects a window as the viewer, or revokes an approved one.
	Reject(ctx context.Context, w Word) error
	Calendar(ctx context.Context, from, until time.Time) (*Calendar, error)
	// Changes returns what was changed in an interval, the newest first.
	Changes(ctx context.Context, from, until time.Time) (*Changes, error)
	Estate(ctx context.Context) (*Estate, error)
	// Crossings judges what is stored, which takes seconds in a large cluster.
	Crossings(ctx context.Context) (*Crossings, error)
	// Version changes whenever something changes that the pages show.
	Version(ctx context.Context) (string, error)
}

// Word is what a viewer says of a window.
type Word struct {
	Namespace, Name string
	// UID and Digest are those of the window that the viewer has seen: another of its name is not meant.
	UID, Digest string
	// Typed is the environment, as the viewer typed it.
	Typed, Comment string
	Unseen         bool
}

// Now is what holds at this moment.
type Now struct {
	Viewer       string
	Environments []Environment
	Diagnoses    []Diagnosis
	Denials      []Denials
	Notes        []string
}

// Environment is an environment, and whether it may be changed.
type Environment struct {
	Name, Tier string
	Namespaces int
	// Open are the windows that are open and usable now, by when they close.
	Open []overview.WindowLine
	// Until is when the last of them closes, or a freeze begins.
	Until time.Time
	// Frozen are the freezes that hold.
	Frozen []Freeze
	// Next is the next opening.
	Next *overview.WindowLine
}

// Freeze is a time in which nothing may be changed.
type Freeze struct {
	Name, By, Reason string
	Environments     []string
	// Namespaces are globs that narrow it within the environments, divided by commas; empty: it holds in all of their namespaces.
	Namespaces string
	Start      time.Time
	// End is zero if it holds until somebody lifts it.
	End time.Time
}

// Diagnosis is what doctor says is wrong.
type Diagnosis struct{ Level, About, Says, Remedy string }

// Denials are the denials of one rule in the last hour.
type Denials struct {
	Rule    string
	Count   int
	Last    time.Time
	Example string
}

// Waiting is what waits for the viewer, and what the viewer waits for.
type Waiting struct {
	// Everybody is true if it is not known who looks: then Approve is what waits for anybody.
	Everybody bool
	Approve   []overview.WindowLine
	Own       []overview.WindowLine
	Review    []Emergency
	Notes     []string
}

// Emergency is an emergency that nobody has reviewed, and what was done under it.
type Emergency struct {
	overview.WindowLine
	Done []overview.Entry
}

// Window is everything that an approver sees of a window.
type Window struct {
	overview.WindowLine
	UID, Digest string
	// Screen is what kubectl firebreak approve shows: who, when, where, the freezes, and the whole plan, with what it changes.
	Screen string
	// Missing is what the window pins and does not say.
	Missing []string
	// Said is true if the viewer has approved, rejected or reviewed it, and Instead names whom they decide in the stead of.
	Said    bool
	Instead string
	// ReadOnly is true if the viewer cannot act here, but with commands elsewhere.
	ReadOnly bool
	// MayApprove is true if the viewer holds the right. Own is true if they have requested it.
	MayApprove, Own bool
	// Emergency is true if approving it is reviewing it. Over is true if nothing can be said of it any more.
	Emergency, Over bool
	Done            []overview.Entry
}

// Calendar is when production is open, and frozen.
type Calendar struct {
	Openings []overview.WindowLine
	Freezes  []Freeze
	Notes    []string
	// ICS is the same as iCalendar (RFC 5545), and PublicICS without who asked for what, and why.
	ICS, PublicICS []byte
}

// Changes are what was changed, the newest first.
type Changes struct {
	Entries []Change
	Notes   []string
}

// Change is an entry of the log, or a denial.
type Change struct {
	overview.Entry
	// Kind is execution, record or denial.
	Kind string
	// Rule is that of a denial.
	Rule string
}

// Estate is who has what.
type Estate struct {
	Environments []EstateEnvironment
	// Unassigned are namespaces that no environment claims.
	Unassigned []string
	// Permissions are the gateways and exemptions.
	Permissions []Permission
	Notes       []string
}

// EstateEnvironment is what an environment has.
type EstateEnvironment struct {
	Name, Tier string
	Namespaces []string
	Stores     []Store
}

// Store is a data store, and how much of it is declared.
type Store struct {
	Name, Says string
}

// Permission is an exemption or gateway.
type Permission struct {
	Kind, Name, Why string
	Counts          bool
}

// Crossings are what is stored and crosses tiers.
type Crossings struct {
	All   []Crossing
	Notes []string
}

// Crossing is one object that names something of another environment.
type Crossing struct {
	Object, Namespace, Rule, Says string
	// From and To are environments. To is empty where none is named.
	From, To string
}
