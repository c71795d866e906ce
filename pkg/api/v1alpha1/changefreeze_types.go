package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FreezeLevel says how much a freeze stops.
// +kubebuilder:validation:Enum=Changes;Everything
type FreezeLevel string

const (
	// FreezeChanges stops changes by persons, CI and GitOps: to workload templates, configuration, RBAC and routes, and
	// maintenance. It never stops what keeps running things running: Pods of existing workloads, evictions,
	// autoscaling, renewals by operators, Pod deletes, status.
	FreezeChanges FreezeLevel = "Changes"
	// FreezeEverything is the red button: it stops autoscalers and operators too. It lasts four hours at most.
	FreezeEverything FreezeLevel = "Everything"
)

// LiftedBy says who may lift a freeze.
// +kubebuilder:validation:Enum=Anyone;TwoPersons
type LiftedBy string

const (
	// LiftedByAnyone lets any member of each of the frozen environments lift the freeze, by deleting it.
	LiftedByAnyone LiftedBy = "Anyone"
	// LiftedByTwoPersons requires the Lift of two persons.
	LiftedByTwoPersons LiftedBy = "TwoPersons"
)

// ChangeFreeze stops changes in environments, now or on a schedule. Creating one is never a weakening. Its spec is
// immutable.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=cf,categories=firebreak
// +kubebuilder:printcolumn:name="Level",type=string,JSONPath=`.spec.level`
// +kubebuilder:printcolumn:name="Environments",type=string,JSONPath=`.spec.environments`
// +kubebuilder:printcolumn:name="Active",type=string,JSONPath=`.status.conditions[?(@.type=="Active")].status`
// +kubebuilder:printcolumn:name="By",type=string,JSONPath=`.spec.requestedBy.username`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.spec.reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.spec == oldSelf.spec",message="a freeze is immutable; lift it and create another one",reason="FieldValueForbidden",fieldPath=".spec"
type ChangeFreeze struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what is frozen. It never changes.
	// +required
	Spec ChangeFreezeSpec `json:"spec"`
	// status says whether the freeze holds now. Only Firebreak writes it.
	// +optional
	Status ChangeFreezeStatus `json:"status,omitempty"`
}

// ChangeFreezeSpec says what is frozen, how much and for how long.
// +kubebuilder:validation:XValidation:rule="self.level != 'Everything' || (has(self.schedule) && has(self.schedule.end))",message="Everything lasts four hours at most, so it needs schedule.end",reason="FieldValueRequired",fieldPath=".schedule"
// +kubebuilder:validation:XValidation:rule="self.level != 'Everything' || !has(self.schedule) || !has(self.schedule.start) || !has(self.schedule.end) || self.schedule.end - self.schedule.start <= duration('4h')",message="Everything lasts four hours at most; renew it by creating another one",reason="FieldValueInvalid",fieldPath=".schedule.end"
type ChangeFreezeSpec struct {
	// environments are the environments that are frozen.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Environments []string `json:"environments"`
	// namespaces are globs that narrow the freeze within the environments. If empty, all namespaces are frozen.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Namespaces []Glob `json:"namespaces,omitempty"`
	// level says how much is stopped.
	// +optional
	// +kubebuilder:default=Changes
	Level FreezeLevel `json:"level,omitempty"`
	// schedule says when the freeze holds. Without a start, it holds from its creation; without an end, until it is
	// lifted.
	// +optional
	Schedule *Schedule `json:"schedule,omitempty"`
	// reason is shown to every requester that the freeze stops.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason"`
	// liftedBy says who may lift the freeze.
	// +optional
	// +kubebuilder:default=Anyone
	LiftedBy LiftedBy `json:"liftedBy,omitempty"`
	// requestedBy is the user that created the freeze. Firebreak stamps it at the creation.
	// +optional
	RequestedBy *Stamp `json:"requestedBy,omitempty"`
}

// ChangeFreezeStatus says whether the freeze holds now.
type ChangeFreezeStatus struct {
	// observedGeneration is the generation of the spec that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are of one type: Active (reasons Holds, NotYet, Over, Malformed).
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ChangeFreezeList is a list of ChangeFreezes.
// +kubebuilder:object:root=true
type ChangeFreezeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// +required
	Items []ChangeFreeze `json:"items"`
}
