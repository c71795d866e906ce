package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ApprovalDecision is one person's word.
// +kubebuilder:validation:Enum=Approve;Reject;Lift;Release
type ApprovalDecision string

const (
	// DecisionApprove is for a window.
	DecisionApprove ApprovalDecision = "Approve"
	// DecisionReject blocks a window, and is how an approved one is revoked.
	DecisionReject ApprovalDecision = "Reject"
	// DecisionLift ends a freeze, with a second person's Lift.
	DecisionLift ApprovalDecision = "Lift"
	// DecisionRelease gives an execution back.
	DecisionRelease ApprovalDecision = "Release"
)

// ChangeApproval is one person's word about a window, a freeze or an execution. It is immutable. One about a window
// lies beside it; one about a freeze or an execution lies in Firebreak's own namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=cwa,categories=firebreak
// +kubebuilder:printcolumn:name="Decision",type=string,JSONPath=`.spec.decision`
// +kubebuilder:printcolumn:name="Approver",type=string,JSONPath=`.spec.approver.username`
// +kubebuilder:printcolumn:name="Window",type=string,JSONPath=`.spec.window.name`
// +kubebuilder:printcolumn:name="Comment",type=string,JSONPath=`.spec.comment`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.spec == oldSelf.spec",message="an approval is immutable; create another one",reason="FieldValueForbidden",fieldPath=".spec"
type ChangeApproval struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is that of any object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the word. It never changes.
	// +required
	Spec ChangeApprovalSpec `json:"spec"`
	// status says whether the word counts. Only Firebreak writes it.
	// +optional
	Status ChangeApprovalStatus `json:"status,omitempty"`
}

// ChangeApprovalSpec is one person's word.
// +kubebuilder:validation:XValidation:rule="(has(self.window) ? 1 : 0) + (has(self.freeze) ? 1 : 0) + (has(self.execution) ? 1 : 0) == 1",message="name exactly one of window, freeze and execution",reason="FieldValueInvalid",fieldPath=".window"
// +kubebuilder:validation:XValidation:rule="has(self.window) == (self.decision in ['Approve', 'Reject'])",message="Approve and Reject are for windows",reason="FieldValueInvalid",fieldPath=".decision"
// +kubebuilder:validation:XValidation:rule="has(self.freeze) == (self.decision == 'Lift')",message="Lift is for freezes",reason="FieldValueInvalid",fieldPath=".decision"
// +kubebuilder:validation:XValidation:rule="has(self.execution) == (self.decision == 'Release')",message="Release is for executions",reason="FieldValueInvalid",fieldPath=".decision"
// +kubebuilder:validation:XValidation:rule="self.decision != 'Approve' || has(self.digest)",message="an approval says which words it approves",reason="FieldValueRequired",fieldPath=".digest"
type ChangeApprovalSpec struct {
	// window that the word is about, in the approval's own namespace.
	// +optional
	Window *LocalReference `json:"window,omitempty"`
	// freeze that the word is about.
	// +optional
	Freeze *LocalReference `json:"freeze,omitempty"`
	// execution that the word is about.
	// +optional
	Execution *LocalReference `json:"execution,omitempty"`
	// digest of the window's canonical spec: what the approver saw. Required to approve.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^(v[0-9]+:)?sha256:[0-9a-f]{64}$`
	Digest string `json:"digest,omitempty"`
	// decision is the word.
	// +required
	Decision ApprovalDecision `json:"decision"`
	// comment for the record. Empty: none.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Comment string `json:"comment,omitempty"`
	// approver is stamped when the approval is created.
	// +optional
	Approver *Stamp `json:"approver,omitempty"`
}

// LocalReference names one object whose namespace is implied, and this very one: a deleted and re-created object
// has another UID.
type LocalReference struct {
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// uid of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid"`
}

// ChangeApprovalStatus says whether the word counts.
type ChangeApprovalStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are: Counts (reasons Counts, WindowNotFound, OtherWindow, OtherDigest, Requester, NotAPerson,
	// NotAnApprover, Expired).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ChangeApprovalList is a list of ChangeApprovals.
// +kubebuilder:object:root=true
type ChangeApprovalList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// +required
	Items []ChangeApproval `json:"items"`
}
