package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RecordedAct says what somebody did, or tried to do.
// +kubebuilder:validation:Enum=Created;Updated;Deleted;Denied
type RecordedAct string

// The acts.
const (
	ActCreated RecordedAct = "Created"
	ActUpdated RecordedAct = "Updated"
	ActDeleted RecordedAct = "Deleted"
	// ActDenied is an attempt against the boundary that was refused.
	ActDenied RecordedAct = "Denied"
)

// ChangeRecord says who did what about the permission to change production: requested, approved, rejected or withdrew a window,
// froze or unfroze an environment, reviewed an emergency, granted an exemption, changed the boundary, or tried to and was refused.
// It is written before the act is admitted, lies in Firebreak's own namespace and outlives what it is about. Uses of windows are
// ChangeExecutions. Only Firebreak writes it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,shortName=cwr,categories=firebreak
// +kubebuilder:printcolumn:name="Act",type=string,JSONPath=`.spec.act`
// +kubebuilder:printcolumn:name="Requester",type=string,JSONPath=`.spec.requester.username`
// +kubebuilder:printcolumn:name="Namespace",type=string,JSONPath=`.spec.object.namespace`
// +kubebuilder:printcolumn:name="Kind",type=string,JSONPath=`.spec.object.kind`
// +kubebuilder:printcolumn:name="Object",type=string,JSONPath=`.spec.object.name`
// +kubebuilder:printcolumn:name="Says",type=string,JSONPath=`.spec.message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.spec == oldSelf.spec",message="a record is immutable",reason="FieldValueForbidden",fieldPath=".spec"
type ChangeRecord struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what was done. It never changes.
	// +required
	Spec ChangeRecordSpec `json:"spec"`
}

// ChangeRecordSpec says what was done, by whom.
type ChangeRecordSpec struct {
	// act is what was done, or denied.
	// +required
	Act RecordedAct `json:"act"`
	// requester is the user that did it.
	// +required
	Requester Stamp `json:"requester"`
	// object is what it was done to.
	// +required
	Object ExecutedObject `json:"object"`
	// message says in a sentence what that means, or why it was denied.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Message string `json:"message"`
}

// ChangeRecordList is a list of ChangeRecords.
// +kubebuilder:object:root=true
type ChangeRecordList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// +required
	Items []ChangeRecord `json:"items"`
}
