package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ChangeDelegation lets a person approve change windows of its namespace in the stead of another, for a time. It lets them reject nothing. It is immutable.
// Deleting it ends it, and what was approved by it counts no more.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,shortName=cwd,categories=firebreak
// +kubebuilder:printcolumn:name="From",type=string,JSONPath=`.spec.delegator.username`
// +kubebuilder:printcolumn:name="To",type=string,JSONPath=`.spec.to`
// +kubebuilder:printcolumn:name="Until",type=string,JSONPath=`.spec.until`
// +kubebuilder:printcolumn:name="Comment",type=string,JSONPath=`.spec.comment`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.spec == oldSelf.spec",message="a delegation is immutable; create another one",reason="FieldValueForbidden",fieldPath=".spec"
type ChangeDelegation struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says who may approve in whose stead. It never changes.
	// +required
	Spec ChangeDelegationSpec `json:"spec"`
}

// ChangeDelegationSpec says who may approve in whose stead.
type ChangeDelegationSpec struct {
	// to is the username of the person who may approve. They need no right to approve of their own.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	To string `json:"to"`
	// until is when the delegation ends, 31 days ahead at most. What was approved before still counts then.
	// +required
	Until metav1.Time `json:"until"`
	// comment is a comment for the record. It may be empty.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Comment string `json:"comment,omitempty"`
	// delegator is the person who delegates, and whose right it is. Firebreak stamps it when the delegation is created.
	// +optional
	Delegator *Stamp `json:"delegator,omitempty"`
}

// ChangeDelegationList is a list of ChangeDelegations.
// +kubebuilder:object:root=true
type ChangeDelegationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// +required
	Items []ChangeDelegation `json:"items"`
}
