package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MaintenanceMode says which Jobs need a change window.
// +kubebuilder:validation:Enum=Detect;Labeled;All
type MaintenanceMode string

const (
	// MaintenanceDetect finds maintenance by label, data store, requester and tool. It guards against accidents.
	MaintenanceDetect MaintenanceMode = "Detect"
	// MaintenanceLabeled counts only objects with the label firebreak.dev/maintenance as maintenance.
	MaintenanceLabeled MaintenanceMode = "Labeled"
	// MaintenanceAll counts every Job and bare Pod as maintenance. It guards against adversaries.
	MaintenanceAll MaintenanceMode = "All"
)

// ChangeScope says which changes need a change window.
// +kubebuilder:validation:Enum=Maintenance;Workloads;Everything
type ChangeScope string

const (
	// ScopeMaintenance demands a window for maintenance alone.
	ScopeMaintenance ChangeScope = "Maintenance"
	// ScopeWorkloads also demands one for every change by a person or an automation to what runs: templates, images,
	// scale, ConfigMaps and Secrets, RBAC and routes. A freeze of level Changes stops the same changes.
	ScopeWorkloads ChangeScope = "Workloads"
	// ScopeEverything demands one for every write of a person or an automation. A freeze of level Everything stops the
	// same writes.
	ScopeEverything ChangeScope = "Everything"
)

// InteractiveAccess says whether people may open sessions in workloads.
// +kubebuilder:validation:Enum=Allow;WindowRequired;Deny
type InteractiveAccess string

const (
	// InteractiveAllow lets members open sessions.
	InteractiveAllow InteractiveAccess = "Allow"
	// InteractiveWindowRequired lets members open sessions inside a window that names the operation.
	InteractiveWindowRequired InteractiveAccess = "WindowRequired"
	// InteractiveDeny lets nobody open sessions.
	InteractiveDeny InteractiveAccess = "Deny"
)

// The pattern of durations bounds their digits, so that every duration that matches it can be computed. The rules below
// also hold for a duration that does not match: a malformed duration gets one message, not a second one about type
// conversion.

// ChangeControl says how changes in a Production environment are bounded.
// +kubebuilder:validation:XValidation:rule="self.maxWindowDuration.matches('[1-9]')",message="must be longer than zero",reason="FieldValueInvalid",fieldPath=".maxWindowDuration"
// +kubebuilder:validation:XValidation:rule="self.emergencyMaxDuration.matches('[1-9]')",message="must be longer than zero",reason="FieldValueInvalid",fieldPath=".emergencyMaxDuration"
// +kubebuilder:validation:XValidation:rule="self.approvalValidity.matches('[1-9]')",message="must be longer than zero",reason="FieldValueInvalid",fieldPath=".approvalValidity"
// +kubebuilder:validation:XValidation:rule="self.standardApprovalValidity.matches('[1-9]')",message="must be longer than zero",reason="FieldValueInvalid",fieldPath=".standardApprovalValidity"
// +kubebuilder:validation:XValidation:rule="!self.executionRetention.matches('^([0-9]{1,5}(\\\\.[0-9]{1,6})?(ms|s|m|h)){1,6}$') || duration(self.executionRetention) >= duration('24h')",message="must be at least 24h, so that yesterday's changes can be told",reason="FieldValueInvalid",fieldPath=".executionRetention"
type ChangeControl struct {
	// scope says which changes need a window. Some never need one, since they keep running things running: those of
	// controllers, those of operators to their own objects, and updates that store what is stored already. If omitted,
	// it is Maintenance.
	// +optional
	Scope ChangeScope `json:"scope,omitempty"`
	// maintenance says which Jobs need a window.
	// +optional
	// +kubebuilder:default=Detect
	Maintenance MaintenanceMode `json:"maintenance,omitempty"`
	// maintenanceTools are command words or image names added to the built-in list of maintenance tools.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	MaintenanceTools []string `json:"maintenanceTools,omitempty"`
	// requiredApprovals is how many persons other than the requester must approve a window. 0 is legal, so that
	// lowering the number to 0 is judged as a weakening.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	RequiredApprovals *int32 `json:"requiredApprovals,omitempty"`
	// approvers limits whose approvals count. If empty, the approval of any person whom RBAC lets approve counts. That
	// of a service account never counts.
	// +optional
	Approvers Approvers `json:"approvers,omitempty"`
	// requiredFrom is how many of the approvers must be of certain groups, such as one of the database administrators and one
	// of those on call. A person who is in two of the groups counts for both; requiredApprovals says how many persons it takes.
	// +optional
	// +listType=map
	// +listMapKey=group
	// +kubebuilder:validation:MaxItems=8
	RequiredFrom []GroupQuorum `json:"requiredFrom,omitempty"`
	// automatedRequesters are service accounts that may request windows; two different persons must then approve.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	AutomatedRequesters []ServiceAccountGlob `json:"automatedRequesters,omitempty"`
	// approvalValidity is how long before its start a Normal window may be approved.
	// +optional
	// +kubebuilder:default="168h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(\.[0-9]{1,6})?(ms|s|m|h)){1,6}$`
	// +kubebuilder:validation:MaxLength=32
	ApprovalValidity *metav1.Duration `json:"approvalValidity,omitempty"`
	// standardApprovalValidity is how long the approval of a Standard window counts, never beyond its validUntil.
	// +optional
	// +kubebuilder:default="4380h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(\.[0-9]{1,6})?(ms|s|m|h)){1,6}$`
	// +kubebuilder:validation:MaxLength=32
	StandardApprovalValidity *metav1.Duration `json:"standardApprovalValidity,omitempty"`
	// confirmTarget demands that a window or an annotation names the environment in which maintenance runs.
	// +optional
	// +kubebuilder:default=true
	ConfirmTarget *bool `json:"confirmTarget,omitempty"`
	// requirePlan demands that windows which create or update workloads pin what may run.
	// +optional
	// +kubebuilder:default=true
	RequirePlan *bool `json:"requirePlan,omitempty"`
	// requireRollback demands that a window says how it is undone.
	// +optional
	// +kubebuilder:default=false
	RequireRollback bool `json:"requireRollback,omitempty"`
	// maxWindowDuration is the longest that a window, or one occurrence of it, may last.
	// +optional
	// +kubebuilder:default="8h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(\.[0-9]{1,6})?(ms|s|m|h)){1,6}$`
	// +kubebuilder:validation:MaxLength=32
	MaxWindowDuration *metav1.Duration `json:"maxWindowDuration,omitempty"`
	// emergencyMaxDuration is the longest that an Emergency window may last.
	// +optional
	// +kubebuilder:default="4h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(\.[0-9]{1,6})?(ms|s|m|h)){1,6}$`
	// +kubebuilder:validation:MaxLength=32
	EmergencyMaxDuration *metav1.Duration `json:"emergencyMaxDuration,omitempty"`
	// executionRetention is how long ChangeExecutions are kept, and ChangeRecords as long as the longest of all Production environments.
	// +optional
	// +kubebuilder:default="2160h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(\.[0-9]{1,6})?(ms|s|m|h)){1,6}$`
	// +kubebuilder:validation:MaxLength=32
	ExecutionRetention *metav1.Duration `json:"executionRetention,omitempty"`
	// interactiveAccess governs exec, attach, port-forward, ephemeral containers and proxies.
	// +optional
	// +kubebuilder:default=WindowRequired
	InteractiveAccess InteractiveAccess `json:"interactiveAccess,omitempty"`
	// protectedState says what must not be deleted outside a window.
	// +optional
	// +kubebuilder:default={}
	ProtectedState ProtectedState `json:"protectedState,omitempty"`
	// blastRadius bounds what one scaling request may do.
	// +optional
	// +kubebuilder:default={}
	BlastRadius BlastRadius `json:"blastRadius,omitempty"`
}

// GroupQuorum is how many approvers of a group it takes.
type GroupQuorum struct {
	// group is the exact name of the group, as the API server sees it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group"`
	// approvals is how many. If omitted, it is 1.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	Approvals int32 `json:"approvals,omitempty"`
}

// Approvers limits whose approvals count to persons of one authenticator: a person with two accounts is two users to
// Kubernetes.
type Approvers struct {
	// users are the users whose approvals count.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Users []Glob `json:"users,omitempty"`
	// groups are the groups whose users' approvals count.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Groups []Glob `json:"groups,omitempty"`
}

// ProtectedState says what must not be deleted outside a window: objects of one of the kinds whose labels match the
// selector.
type ProtectedState struct {
	// selector matches the labels of the objects.
	// +optional
	// +kubebuilder:default={matchLabels: {"firebreak.dev/protected": "true"}}
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
	// kinds are the kinds of the objects.
	// +optional
	// +listType=set
	// +kubebuilder:default={Namespace,PersistentVolumeClaim,StatefulSet,CustomResourceDefinition}
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Kinds []string `json:"kinds,omitempty"`
}

// BlastRadius bounds what one scaling request may do. An autoscaler is bounded by its own minimum and maximum.
type BlastRadius struct {
	// maxScaleDownPercent is the largest share of its replicas, in percent, that a workload may lose at once.
	// +optional
	// +kubebuilder:default=50
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MaxScaleDownPercent *int32 `json:"maxScaleDownPercent,omitempty"`
	// maxScaleUpFactor is the largest factor by which the replicas may grow at once.
	// +optional
	// +kubebuilder:default=4
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MaxScaleUpFactor *int32 `json:"maxScaleUpFactor,omitempty"`
	// maxScaleUp is how many replicas may be added at once whatever the factor, since growing from 1 to 5 endangers
	// nothing. If omitted, it is 10.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	MaxScaleUp *int32 `json:"maxScaleUp,omitempty"`
	// maxScaleFromZero is the largest number of replicas that a workload at zero may get at once.
	// +optional
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	MaxScaleFromZero *int32 `json:"maxScaleFromZero,omitempty"`
	// autoscalers is what happens when an autoscaler goes beyond these bounds.
	// +optional
	// +kubebuilder:default=Warn
	Autoscalers Action `json:"autoscalers,omitempty"`
}
