package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Exemption suspends rules for some subjects and objects until it expires. It is immutable. After expiresAt it no
// longer counts, whether or not anything has reconciled it; it stays listed as a remnant until somebody deletes it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=fbex,categories=firebreak
// +kubebuilder:printcolumn:name="Rules",type=string,JSONPath=`.spec.rules`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.spec.expiresAt`
// +kubebuilder:printcolumn:name="Active",type=string,JSONPath=`.status.conditions[?(@.type=="Active")].status`
// +kubebuilder:printcolumn:name="By",type=string,JSONPath=`.spec.requestedBy.username`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.spec.reason`
// +kubebuilder:printcolumn:name="Ticket",type=string,JSONPath=`.spec.ticket`,priority=1
// +kubebuilder:validation:XValidation:rule="self.spec == oldSelf.spec",message="an exemption is immutable; delete it and create another one",reason="FieldValueForbidden",fieldPath=".spec"
type Exemption struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what is exempt. It never changes.
	// +required
	Spec ExemptionSpec `json:"spec"`
	// status says whether the exemption counts now. Only Firebreak writes it.
	// +optional
	Status ExemptionStatus `json:"status,omitempty"`
}

// ExemptionSpec says which rules are suspended, for whom, on what, why and until when.
// +kubebuilder:validation:XValidation:rule="(has(self.subjects.users) && size(self.subjects.users) > 0) || (has(self.subjects.groups) && size(self.subjects.groups) > 0) || (has(self.subjects.serviceAccounts) && size(self.subjects.serviceAccounts) > 0)",message="name at least one user, group or service account",reason="FieldValueRequired",fieldPath=".subjects"
type ExemptionSpec struct {
	// rules are the rules that are suspended.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=17
	// +kubebuilder:validation:items:Enum=IdentityOutsideEnvironment;GrantAcrossTiers;BoundaryTampering;DataStoreAcrossTiers;NamespaceAcrossTiers;CredentialAcrossTiers;PlacementAcrossTiers;RouteAcrossTiers;StorageAcrossTiers;ChangeWindowRequired;PlanMismatch;TargetNotConfirmed;ExecutionsExhausted;InteractiveAccess;ChangeFrozen;ProtectedState;BlastRadius
	Rules []RuleName `json:"rules"`
	// subjects are the requesters for whom they are suspended.
	// +required
	Subjects Subjects `json:"subjects"`
	// objects are the objects on which they are suspended.
	// +required
	Objects ExemptObjects `json:"objects"`
	// reason says why.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Reason string `json:"reason"`
	// ticket names the record elsewhere. It is empty if there is none.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Ticket string `json:"ticket,omitempty"`
	// expiresAt is the first instant at which the exemption no longer counts. It is at most 30 days ahead, unless the
	// server is configured otherwise.
	// +required
	// +kubebuilder:validation:XValidation:rule="self > timestamp('1970-01-01T00:00:00Z')",message="must be after 1970, and written like 2027-03-31T00:00:00Z",reason="FieldValueInvalid"
	ExpiresAt metav1.Time `json:"expiresAt"`
	// requestedBy is the user that created the exemption. Firebreak stamps it at the creation.
	// +optional
	RequestedBy *Stamp `json:"requestedBy,omitempty"`
}

// ExemptObjects names objects of one kind.
type ExemptObjects struct {
	// group of the kind. If empty, it is the core group.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`
	// kind of the objects.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// namespaces are globs. If empty, the exemption covers cluster-scoped objects only.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Namespaces []Glob `json:"namespaces,omitempty"`
	// names are globs.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Names []Glob `json:"names"`
}

// ExemptionStatus says whether the exemption counts now.
type ExemptionStatus struct {
	// observedGeneration is the generation of the spec that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are of one type: Active (reasons Counts, Expired).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ExemptionList is a list of Exemptions.
// +kubebuilder:object:root=true
type ExemptionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// +required
	Items []Exemption `json:"items"`
}
