package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ApprovalDecision is what a person decides about a window, a freeze or an execution.
// +kubebuilder:validation:Enum=Approve;Reject;Lift;Release
type ApprovalDecision string

const (
	// DecisionApprove approves a window.
	DecisionApprove ApprovalDecision = "Approve"
	// DecisionReject blocks a window, also one that is approved already.
	DecisionReject ApprovalDecision = "Reject"
	// DecisionLift ends a freeze, together with the Lift of a second person.
	DecisionLift ApprovalDecision = "Lift"
	// DecisionRelease gives the slot of an execution back.
	DecisionRelease ApprovalDecision = "Release"
)

// ChangeApproval is one person's decision about a window, a freeze or an execution. It is immutable. An approval of a
// window lies in the window's namespace; one of a freeze or an execution lies in Firebreak's own namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=cwa,categories=firebreak
// +kubebuilder:printcolumn:name="Decision",type=string,JSONPath=`.spec.decision`
// +kubebuilder:printcolumn:name="Approver",type=string,JSONPath=`.spec.approver.username`
// +kubebuilder:printcolumn:name="Window",type=string,JSONPath=`.spec.window.name`
// +kubebuilder:printcolumn:name="Counts",type=string,JSONPath=`.status.conditions[?(@.type=="Counts")].status`
// +kubebuilder:printcolumn:name="Comment",type=string,JSONPath=`.spec.comment`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.spec == oldSelf.spec",message="an approval is immutable; create another one",reason="FieldValueForbidden",fieldPath=".spec"
type ChangeApproval struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the decision. It never changes.
	// +required
	Spec ChangeApprovalSpec `json:"spec"`
	// status says whether the decision counts. Only Firebreak writes it.
	// +optional
	Status ChangeApprovalStatus `json:"status,omitempty"`
}

// ChangeApprovalSpec is one person's decision.
// +kubebuilder:validation:XValidation:rule="(has(self.window) ? 1 : 0) + (has(self.freeze) ? 1 : 0) + (has(self.execution) ? 1 : 0) == 1",message="name exactly one of window, freeze and execution",reason="FieldValueInvalid",fieldPath=".window"
// +kubebuilder:validation:XValidation:rule="has(self.window) == (self.decision in ['Approve', 'Reject'])",message="Approve and Reject are for windows",reason="FieldValueInvalid",fieldPath=".decision"
// +kubebuilder:validation:XValidation:rule="has(self.freeze) == (self.decision == 'Lift')",message="Lift is for freezes",reason="FieldValueInvalid",fieldPath=".decision"
// +kubebuilder:validation:XValidation:rule="has(self.execution) == (self.decision == 'Release')",message="Release is for executions",reason="FieldValueInvalid",fieldPath=".decision"
// +kubebuilder:validation:XValidation:rule="self.decision != 'Approve' || has(self.digest)",message="an approval says which words it approves",reason="FieldValueRequired",fieldPath=".digest"
type ChangeApprovalSpec struct {
	// window is the window that the decision is about, in the approval's own namespace.
	// +optional
	Window *LocalReference `json:"window,omitempty"`
	// freeze is the freeze that the decision is about.
	// +optional
	Freeze *LocalReference `json:"freeze,omitempty"`
	// execution is the execution that the decision is about.
	// +optional
	Execution *LocalReference `json:"execution,omitempty"`
	// digest is the digest of the window's canonical spec, as the approver saw it. It is required to approve.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^(v[0-9]+:)?sha256:[0-9a-f]{64}$`
	Digest string `json:"digest,omitempty"`
	// decision is what the person decides.
	// +required
	Decision ApprovalDecision `json:"decision"`
	// comment is a comment for the record. It may be empty.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Comment string `json:"comment,omitempty"`
	// approver is the person who decides. Firebreak stamps it when the approval is created.
	// +optional
	Approver *Stamp `json:"approver,omitempty"`
	// onBehalfOf names the ChangeDelegation, in the approval's own namespace, by which the approver decides about a window in
	// somebody's stead. The right to approve is then that person's.
	// +optional
	OnBehalfOf *LocalReference `json:"onBehalfOf,omitempty"`
}

// LocalReference names one object whose namespace is implied. The UID tells it from a deleted and re-created object of
// the same name.
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

// ChangeApprovalStatus says whether the decision counts.
type ChangeApprovalStatus struct {
	// observedGeneration is the generation of the spec that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are of one type: Counts (reasons Counts, DoesNotCount, Rejects), for approvals of windows. It is computed with the
	// status of the window, lags, and is never used to decide.
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
