package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WindowType is the kind of change that a window is for, in the words of ITIL.
// +kubebuilder:validation:Enum=Normal;Standard;Emergency
type WindowType string

const (
	// WindowNormal is one planned change, approved beforehand.
	WindowNormal WindowType = "Normal"
	// WindowStandard is a routine that recurs, approved once with its plan pinned.
	WindowStandard WindowType = "Standard"
	// WindowEmergency opens without approval for persons who may break glass, and is reviewed afterwards.
	WindowEmergency WindowType = "Emergency"
)

// Operation is an operation that a window permits on an object.
// +kubebuilder:validation:Enum=Create;Update;Delete;Scale;Exec;Attach;PortForward;Proxy;Debug
type Operation string

// The operations.
const (
	OperationCreate      Operation = "Create"
	OperationUpdate      Operation = "Update"
	OperationDelete      Operation = "Delete"
	OperationScale       Operation = "Scale"
	OperationExec        Operation = "Exec"
	OperationAttach      Operation = "Attach"
	OperationPortForward Operation = "PortForward"
	OperationProxy       Operation = "Proxy"
	OperationDebug       Operation = "Debug"
)

// Overrun says what happens to a run that would outlast its window.
// +kubebuilder:validation:Enum=Finish;Deadline
type Overrun string

const (
	// OverrunFinish lets admitted runs finish.
	OverrunFinish Overrun = "Finish"
	// OverrunDeadline admits a Job only if its activeDeadlineSeconds ends it before the window closes.
	OverrunDeadline Overrun = "Deadline"
)

// ChangeWindow is a stated, approved, bounded permission to change production. Its spec is immutable: a correction
// is a new window, so that an approval can never cover words that changed.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=cw,categories=firebreak
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Opens",type=string,JSONPath=`.status.opensAt`
// +kubebuilder:printcolumn:name="Closes",type=string,JSONPath=`.status.closesAt`
// +kubebuilder:printcolumn:name="Approvals",type=string,JSONPath=`.status.approvals`
// +kubebuilder:printcolumn:name="Used",type=integer,JSONPath=`.status.executions.count`
// +kubebuilder:printcolumn:name="Requester",type=string,JSONPath=`.spec.requestedBy.username`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.spec.reason`,priority=1
// +kubebuilder:printcolumn:name="Ticket",type=string,JSONPath=`.spec.ticket`,priority=1
// +kubebuilder:validation:XValidation:rule="self.spec == oldSelf.spec",message="a change window is immutable, so that an approval never covers words that changed; delete it and request a new one",reason="FieldValueForbidden",fieldPath=".spec"
type ChangeWindow struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what the requester asks for. It never changes.
	// +required
	Spec ChangeWindowSpec `json:"spec"`
	// status is computed, lags, and is never used to decide. Only Firebreak writes it.
	// +optional
	Status ChangeWindowStatus `json:"status,omitempty"`
}

// ChangeWindowSpec says what the requester asks for.
// +kubebuilder:validation:XValidation:rule="self.type == 'Standard' ? has(self.schedule.recurrence) : (has(self.schedule.start) && has(self.schedule.end))",message="Normal and Emergency windows need start and end, Standard windows a recurrence",reason="FieldValueRequired",fieldPath=".schedule"
// +kubebuilder:validation:XValidation:rule="self.type == 'Standard' || !has(self.maxExecutionsPerOccurrence)",message="only Standard windows have occurrences",reason="FieldValueForbidden",fieldPath=".maxExecutionsPerOccurrence"
// +kubebuilder:validation:XValidation:rule="self.type == 'Emergency' || !has(self.overridesFreeze) || !self.overridesFreeze",message="only Emergency windows may override a freeze",reason="FieldValueForbidden",fieldPath=".overridesFreeze"
// +kubebuilder:validation:XValidation:rule="!has(self.startBefore) || self.startBefore.matches('[1-9]')",message="must be longer than zero",reason="FieldValueInvalid",fieldPath=".startBefore"
// +kubebuilder:validation:XValidation:rule="self.type != 'Standard' || has(self.plan)",message="a Standard window recurs without anybody looking, so it must pin its plan",reason="FieldValueRequired",fieldPath=".plan"
type ChangeWindowSpec struct {
	// type of the window.
	// +optional
	// +kubebuilder:default=Normal
	Type WindowType `json:"type,omitempty"`
	// environment is the environment in which the change will happen, as the requester typed it. It must be the one
	// that the window's namespaces belong to, so it confirms the target for every run under the window.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Environment string `json:"environment"`
	// reason tells the approver and the auditor what the window is for.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Reason string `json:"reason"`
	// ticket names the record of the change elsewhere. It is empty if there is none.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Ticket string `json:"ticket,omitempty"`
	// schedule says when the window is open.
	// +required
	Schedule Schedule `json:"schedule"`
	// scope says what may happen to which objects.
	// +required
	Scope Scope `json:"scope"`
	// The default of Subjects is stored: Go clients send an empty object back where they read none, and without the
	// default the spec would seem to have changed.

	// subjects are the requesters that may use the window. If empty, only the user that requested it may. They are not
	// compared for Kubernetes' own controllers, such as the one that starts a CronJob's Jobs: for these, scope, plan
	// and scheduled time decide.
	// +optional
	// +kubebuilder:default={}
	Subjects Subjects `json:"subjects,omitempty"`
	// plan pins what exactly may run. If omitted, nothing is pinned, which the environment may forbid.
	// +optional
	Plan *Plan `json:"plan,omitempty"`
	// maxExecutions is how often the window may be used in all. If omitted, a Normal window may be used once, the others
	// without limit; what says executions of its own is then counted apart.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxExecutions *int32 `json:"maxExecutions,omitempty"`
	// maxExecutionsPerOccurrence is how often each occurrence of a Standard window may be used in all. If omitted, it is 1;
	// what says executions of its own is then counted apart.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxExecutionsPerOccurrence *int32 `json:"maxExecutionsPerOccurrence,omitempty"`
	// startBefore lets executions start only within this time from the opening. If omitted, they may start until the
	// window closes.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(\.[0-9]{1,6})?(ms|s|m|h)){1,6}$`
	// +kubebuilder:validation:MaxLength=32
	StartBefore *metav1.Duration `json:"startBefore,omitempty"`
	// overrun says what happens to a run that would outlast the window.
	// +optional
	// +kubebuilder:default=Finish
	Overrun Overrun `json:"overrun,omitempty"`
	// rollback says how the change is undone. It may be empty, unless the environment forbids that.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Rollback string `json:"rollback,omitempty"`
	// rollbackWithin is how long after the closing of the window the entries of its plan that are a way back may still be
	// used. If omitted, they may be used until it closes.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(\.[0-9]{1,6})?(ms|s|m|h)){1,6}$`
	// +kubebuilder:validation:MaxLength=32
	RollbackWithin *metav1.Duration `json:"rollbackWithin,omitempty"`
	// overridesFreeze lets an Emergency window pass a freeze once it is approved.
	// +optional
	OverridesFreeze bool `json:"overridesFreeze,omitempty"`
	// extends names the window that this one goes on for, or the first of those that go on for each other. All of them have
	// their executions in common, so that what was used up stays used up. It is approved like any other.
	// +optional
	Extends *LocalReference `json:"extends,omitempty"`
	// requestedBy is the user that requested the window. Firebreak stamps it at the creation.
	// +optional
	RequestedBy *Stamp `json:"requestedBy,omitempty"`
}

// Scope says which operations a window permits on which objects.
type Scope struct {
	// operations are the operations that are permitted.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=9
	Operations []Operation `json:"operations"`
	// resources are the objects that they are permitted on.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Resources []ScopedResource `json:"resources"`
	// namespaces are exact names of the namespaces in which the window opens. Only a window in Firebreak's own
	// namespace may list them; if it lists none, it opens for that namespace and for cluster-scoped objects. Any other
	// window opens for its own namespace.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespaces []string `json:"namespaces,omitempty"`
	// clusters are exact names of the clusters that honour the window. If empty, all clusters do. It is required in
	// Firebreak's own namespace.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Clusters []string `json:"clusters,omitempty"`
}

// ScopedResource names objects of one kind, in every version of its group.
type ScopedResource struct {
	// group of the kind. If empty, it is the core group.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`
	// kind of the objects, such as Job.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// names are globs over names of the objects. There must be at least one: a window for everything says so with `*`.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Names []Glob `json:"names"`
	// executions is how often the objects may be used, in each occurrence of a Standard window: in an entry of the plan, for
	// what it pins; in the scope, for each operation that no entry pins. If omitted, they are not counted apart, and only the
	// limits of the window hold.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Executions *int32 `json:"executions,omitempty"`
	// uids are those of the objects that a deletion is for, so that no other object of the same name is deleted. If omitted, the
	// names alone decide. A window for the boundary that permits Delete must give them. They are for the scope, not for the plan.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	UIDs []string `json:"uids,omitempty"`
}

// WindowPhase is a summary for people; no decision rests on it.
// +kubebuilder:validation:Enum=Pending;Approved;Open;Closed;Rejected;Exhausted;Invalid
type WindowPhase string

// The phases of a window.
const (
	WindowPending   WindowPhase = "Pending"
	WindowApproved  WindowPhase = "Approved"
	WindowOpen      WindowPhase = "Open"
	WindowClosed    WindowPhase = "Closed"
	WindowRejected  WindowPhase = "Rejected"
	WindowExhausted WindowPhase = "Exhausted"
	WindowInvalid   WindowPhase = "Invalid"
)

// ChangeWindowStatus is computed from spec, approvals, executions and the clock.
type ChangeWindowStatus struct {
	// observedGeneration is the generation of the spec that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// phase is a summary for people.
	// +optional
	Phase WindowPhase `json:"phase,omitempty"`
	// digest of the canonical spec, which approvals repeat.
	// +optional
	Digest string `json:"digest,omitempty"`
	// approvals is how many approvals count, of those required, such as 1/2.
	// +optional
	Approvals string `json:"approvals,omitempty"`
	// opensAt is the start of the present or next occurrence.
	// +optional
	OpensAt *metav1.Time `json:"opensAt,omitempty"`
	// closesAt is the end of that occurrence.
	// +optional
	ClosesAt *metav1.Time `json:"closesAt,omitempty"`
	// executions sums up the executions under the window.
	// +optional
	Executions ExecutionSummary `json:"executions,omitempty"`
	// conditions are of three types: Approved (reasons Approved, ApprovalsMissing, Rejected), Ready (reasons Open,
	// NotYetOpen, Closed, StartPassed, Deleted, ApprovalsMissing, Rejected, Exhausted, Malformed, OtherCluster) and,
	// for Emergency windows only, Reviewed (reasons Reviewed, Unreviewed), which says whether a person other than its
	// requester has reviewed the window.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ExecutionSummary sums up the executions under a window.
type ExecutionSummary struct {
	// count is the number of executions.
	// +optional
	Count int32 `json:"count,omitempty"`
	// last are the names of the latest ChangeExecutions, newest first, at most ten.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	Last []string `json:"last,omitempty"`
}

// ChangeWindowList is a list of ChangeWindows.
// +kubebuilder:object:root=true
type ChangeWindowList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// +required
	Items []ChangeWindow `json:"items"`
}
