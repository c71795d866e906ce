package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ExecutionState says what became of a reservation. An empty state means Pending.
// +kubebuilder:validation:Enum=Pending;Used;Released
type ExecutionState string

const (
	// ExecutionPending is a reservation whose object has not been seen in the cluster yet.
	ExecutionPending ExecutionState = "Pending"
	// ExecutionUsed is final: the object was seen, or its existence cannot be ruled out.
	ExecutionUsed ExecutionState = "Used"
	// ExecutionReleased is the record of a slot that was given back.
	ExecutionReleased ExecutionState = "Released"
)

// ChangeExecution is one use of a change window. Creating it is the reservation: its name is
// `<window UID>-<occurrence>-<slot>`, so the first request takes the slot atomically. It lies in Firebreak's own
// namespace and outlives its window. Only Firebreak writes it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=cwx,categories=firebreak
// +kubebuilder:printcolumn:name="Window",type=string,JSONPath=`.spec.window.name`
// +kubebuilder:printcolumn:name="Namespace",type=string,JSONPath=`.spec.object.namespace`
// +kubebuilder:printcolumn:name="Kind",type=string,JSONPath=`.spec.object.kind`
// +kubebuilder:printcolumn:name="Object",type=string,JSONPath=`.spec.object.name`
// +kubebuilder:printcolumn:name="Operation",type=string,JSONPath=`.spec.operation`
// +kubebuilder:printcolumn:name="Requester",type=string,JSONPath=`.spec.requester.username`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.spec.window.reason`,priority=1
// +kubebuilder:printcolumn:name="Ticket",type=string,JSONPath=`.spec.window.ticket`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.spec == oldSelf.spec",message="an execution is a record and immutable",reason="FieldValueForbidden",fieldPath=".spec"
type ChangeExecution struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what was reserved. It never changes.
	// +required
	Spec ChangeExecutionSpec `json:"spec"`
	// status says what became of the reservation.
	// +optional
	Status ChangeExecutionStatus `json:"status,omitempty"`
}

// ChangeExecutionSpec says what was reserved.
type ChangeExecutionSpec struct {
	// window is the window that was used.
	// +required
	Window ExecutedWindow `json:"window"`
	// occurrence is the occurrence of a recurring window, as the Unix time of its start in seconds. It is 0 for a
	// window that opens once.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Occurrence int64 `json:"occurrence,omitempty"`
	// slot is the slot that was taken: a number from 0, before which stands the entry where that is counted apart, or a text
	// derived from key where executions are not limited.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	Slot string `json:"slot"`
	// entry is what was used of a window that counts it apart: an entry of its plan, such as e0 for the first, or an object of
	// its scope with the operation, such as r0-delete. It is empty if the use counts against the window as a whole.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Entry string `json:"entry,omitempty"`
	// key makes a repeat of the same request the same execution.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Key string `json:"key"`
	// requester is the user that used the window.
	// +required
	Requester Stamp `json:"requester"`
	// operation is the operation that was admitted.
	// +required
	Operation Operation `json:"operation"`
	// object is the object that it was admitted for.
	// +required
	Object ExecutedObject `json:"object"`
	// digest is the digest of the plan that ran. It is empty where nothing was pinned and the object has no pod
	// template.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	Digest string `json:"digest,omitempty"`
	// configMaps are the ConfigMaps, in the object's namespace, whose content the plan pins. Nobody changes them until the run
	// has ended, unless the same window covers that too.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	ConfigMaps []string `json:"configMaps,omitempty"`
	// approvals are the names of the window's ChangeApprovals that existed when the slot was taken.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	Approvals []string `json:"approvals,omitempty"`
}

// ExecutedWindow names the window that was used, as it was then.
type ExecutedWindow struct {
	ObjectReference `json:",inline"`
	// type of the window. An emergency is reviewed even after its window is deleted.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Type WindowType `json:"type,omitempty"`
	// environment of the window.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Environment string `json:"environment,omitempty"`
	// requestedBy is the user that requested the window. It is omitted if the window carried no stamp.
	// +optional
	RequestedBy *Stamp `json:"requestedBy,omitempty"`
	// reason of the window. It is kept here because the record outlives the window.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Reason string `json:"reason,omitempty"`
	// ticket of the window.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Ticket string `json:"ticket,omitempty"`
	// approvedBy are the usernames of the persons whose approvals counted when the slot was taken.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=1024
	ApprovedBy []string `json:"approvedBy,omitempty"`
	// digest of the window's canonical spec.
	// +required
	// +kubebuilder:validation:MaxLength=80
	Digest string `json:"digest"`
}

// ExecutedObject names the object that a window was used for.
type ExecutedObject struct {
	// group of the object's kind. If empty, it is the core group.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`
	// version of the object's kind.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Version string `json:"version"`
	// resource is the plural, lower-case name under which the API serves the kind.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Resource string `json:"resource,omitempty"`
	// kind of the object.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// namespace of the object. It is empty if the object is cluster-scoped.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
	// name of the object.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
	// uid of the object.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	UID types.UID `json:"uid,omitempty"`
}

// ChangeExecutionStatus says what became of a reservation.
type ChangeExecutionStatus struct {
	// state of the reservation. If empty, it is Pending.
	// +optional
	State ExecutionState `json:"state,omitempty"`
	// result says in a word or two how a Job ended, or why the slot was given back.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Result string `json:"result,omitempty"`
	// startedAt is when the object was first seen.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`
	// finishedAt is when the object ended, as far as Firebreak saw it.
	// +optional
	FinishedAt *metav1.Time `json:"finishedAt,omitempty"`
	// releasedBy is the person who gave the slot back. It is empty if nobody did, or Firebreak itself.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	ReleasedBy string `json:"releasedBy,omitempty"`
	// made names what a controller made of the custom resource that was created, as kind/name, the first 64: Jobs and Pods that run
	// under the same entry of the plan.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=320
	Made []string `json:"made,omitempty"`
}

// ChangeExecutionList is a list of ChangeExecutions.
// +kubebuilder:object:root=true
type ChangeExecutionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// +required
	Items []ChangeExecution `json:"items"`
}

// Released reports whether an execution is the record of a slot that was given back. Its status says so, or, before the
// status is written, the label that such a record is created with.
func (x *ChangeExecution) Released() bool {
	return x.Status.State == ExecutionReleased || x.Labels[LabelExecutionState] == string(ExecutionReleased)
}
