package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Tier is the side of the boundary on which an environment stands.
// +kubebuilder:validation:Enum=Production;NonProduction;Shared
type Tier string

const (
	// TierProduction is for everything that must not be touched by mistake.
	TierProduction Tier = "Production"
	// TierNonProduction is for everything else that people work in. Unknown subjects are NonProduction.
	TierNonProduction Tier = "NonProduction"
	// TierShared is for platform services that both sides use.
	TierShared Tier = "Shared"
)

// Action is what happens when a rule objects.
// +kubebuilder:validation:Enum=Deny;Warn;Audit
type Action string

const (
	// ActionDeny refuses the request.
	ActionDeny Action = "Deny"
	// ActionWarn admits it with a warning to the sender.
	ActionWarn Action = "Warn"
	// ActionAudit admits it and only records the finding.
	ActionAudit Action = "Audit"
)

// Environment is a named part of the estate that has one tier.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=fbenv,categories=firebreak
// +kubebuilder:printcolumn:name="Tier",type=string,JSONPath=`.spec.tier`
// +kubebuilder:printcolumn:name="Namespaces",type=integer,JSONPath=`.status.namespaces`
// +kubebuilder:printcolumn:name="DataStores",type=integer,JSONPath=`.status.dataStores`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Conflict",type=string,JSONPath=`.status.conditions[?(@.type=="Conflict")].status`
// +kubebuilder:printcolumn:name="Pending",type=string,JSONPath=`.status.conditions[?(@.type=="PendingApproval")].status`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name must be at most 63 characters, so that it fits a label"
type Environment struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what belongs to the environment and how changes to it are controlled.
	// +required
	Spec EnvironmentSpec `json:"spec"`
	// status is what Firebreak made of the spec. Only Firebreak writes it.
	// +optional
	Status EnvironmentStatus `json:"status,omitempty"`
}

// EnvironmentSpec is the desired state of an Environment.
// +kubebuilder:validation:XValidation:rule="self.tier == 'Production' || !has(self.changeControl)",message="only an environment of tier Production has change control",reason="FieldValueForbidden",fieldPath=".changeControl"
type EnvironmentSpec struct {
	// tier is the side of the boundary. Changing it is judged as a weakening of the boundary.
	// +required
	Tier Tier `json:"tier"`
	// namespaces says which namespaces are members.
	// +optional
	Namespaces NamespaceMembers `json:"namespaces,omitempty"`
	// identities says who may act here, besides the service accounts of member namespaces.
	// +optional
	Identities IdentityMembers `json:"identities,omitempty"`
	// nodes describes the environment's own scheduling pool. It is empty if the environment has none.
	// +optional
	Nodes NodePool `json:"nodes,omitempty"`
	// gateways are the dedicated proxies through which data may cross tiers. If empty, none may.
	// +optional
	// +listType=map
	// +listMapKey=host
	// +kubebuilder:validation:MaxItems=64
	Gateways []Gateway `json:"gateways,omitempty"`
	// changeControl says how changes in this environment are bounded. If omitted in a Production environment, every
	// field has its default. It is forbidden in any other tier.
	// +optional
	ChangeControl *ChangeControl `json:"changeControl,omitempty"`
	// enforcement says what happens when a rule objects here. If omitted, every request that a rule objects to is
	// denied.
	// +optional
	// +kubebuilder:default={}
	Enforcement Enforcement `json:"enforcement,omitempty"`
}

// NamespaceMembers says which namespaces are members. A namespace is one if either field matches it.
type NamespaceMembers struct {
	// names are globs over names of namespaces.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=512
	Names []Glob `json:"names,omitempty"`
	// selector matches labels of namespaces. If omitted or empty, it matches none.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// IdentityMembers says who may act in an environment.
type IdentityMembers struct {
	// users are the users that are members.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Users []Glob `json:"users,omitempty"`
	// groups are the groups whose users are members.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Groups []Glob `json:"groups,omitempty"`
	// serviceAccounts are the service accounts that are members although their namespace is not.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	ServiceAccounts []ServiceAccountGlob `json:"serviceAccounts,omitempty"`
	// operators are members too: automations that may act here on their own objects, but never request or approve
	// windows and never exec.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Operators []ServiceAccountGlob `json:"operators,omitempty"`
	// jobLaunchers are members too: automations whose Jobs and Pods are routine, not maintenance.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	JobLaunchers []ServiceAccountGlob `json:"jobLaunchers,omitempty"`
	// impersonated are service accounts that count as members although another user acts as them: Kubernetes shows no
	// UID of an impersonated account. GitOps controllers that impersonate a tenant's account need it. A user that may
	// impersonate an account of this list has its power in this environment. If omitted, an impersonated account is not
	// a member here, whatever else lists it. It is meaningful in environments of tier Production only.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Impersonated []ServiceAccountGlob `json:"impersonated,omitempty"`
	// automation lists users that are not persons, such as CI systems. It classifies them in every environment and
	// grants nothing.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Automation []Glob `json:"automation,omitempty"`
}

// NodePool describes a separate scheduling pool.
type NodePool struct {
	// selector matches labels of the pool's nodes. If omitted or empty, it matches none.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
	// taints are the taints of the pool's nodes, as key or key=value.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	Taints []Glob `json:"taints,omitempty"`
	// provisioners bring nodes up: they may let a node join the pool without a window. Taking a node out of the pool needs one.
	// +optional
	Provisioners NodeProvisioners `json:"provisioners,omitempty"`
	// priorityClasses are the PriorityClasses that only this environment's workloads use.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	PriorityClasses []Glob `json:"priorityClasses,omitempty"`
	// runtimeClasses are the RuntimeClasses that only this environment's workloads use.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	RuntimeClasses []Glob `json:"runtimeClasses,omitempty"`
	// schedulers are the schedulers that only this environment's workloads use.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	Schedulers []Glob `json:"schedulers,omitempty"`
}

// NodeProvisioners are the automations that bring nodes up, such as Karpenter, cluster-api, kops or a cloud's own controllers.
type NodeProvisioners struct {
	// users are the names of the users that bring nodes up.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	Users []Glob `json:"users,omitempty"`
	// serviceAccounts are the service accounts that bring nodes up. An impersonated one does not count.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	ServiceAccounts []ServiceAccountGlob `json:"serviceAccounts,omitempty"`
}

// Gateway is one proxy through which data of this environment may cross tiers, for a time and for a reason.
type Gateway struct {
	// host is the proxy's name or address, without scheme and port.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_]([A-Za-z0-9_.:-]*[A-Za-z0-9_.])?$`
	Host string `json:"host"`
	// from names the environments that may use it.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	From []string `json:"from"`
	// reason says why, for a person who reads it a year later.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason"`
	// expiresAt is the first instant at which the gateway no longer counts.
	// +required
	// +kubebuilder:validation:XValidation:rule="self > timestamp('1970-01-01T00:00:00Z')",message="must be after 1970, and written like 2027-03-31T00:00:00Z",reason="FieldValueInvalid"
	ExpiresAt metav1.Time `json:"expiresAt"`
}

// The generator drops the enum of a field whose type has an enum, so rules of CEL exclude Audit from two fields here.

// Enforcement says what happens when a rule objects in this environment.
// +kubebuilder:validation:XValidation:rule="!has(self.selfHealing) || self.selfHealing != 'Audit'",message="must be Warn or Deny, since somebody must be told",reason="FieldValueInvalid",fieldPath=".selfHealing"
// +kubebuilder:validation:XValidation:rule="!has(self.unlistedAutomation) || self.unlistedAutomation != 'Audit'",message="must be Warn or Deny, since somebody must be told",reason="FieldValueInvalid",fieldPath=".unlistedAutomation"
type Enforcement struct {
	// default holds for every rule that rules does not name.
	// +optional
	// +kubebuilder:default=Deny
	Default Action `json:"default,omitempty"`
	// rules overrides default rule by rule.
	// +optional
	// +kubebuilder:validation:MaxProperties=17
	// +kubebuilder:validation:XValidation:rule="self.all(name, name in ['IdentityOutsideEnvironment','GrantAcrossTiers','BoundaryTampering','DataStoreAcrossTiers','NamespaceAcrossTiers','CredentialAcrossTiers','PlacementAcrossTiers','RouteAcrossTiers','StorageAcrossTiers','ChangeWindowRequired','PlanMismatch','TargetNotConfirmed','ExecutionsExhausted','InteractiveAccess','ChangeFrozen','ProtectedState','BlastRadius'])",message="keys must be names of rules, such as DataStoreAcrossTiers",reason="FieldValueInvalid"
	Rules map[RuleName]Action `json:"rules,omitempty"`
	// selfHealing is what happens to Pods that a controller replaces although their stored owner already names
	// something that a content rule objects to. Audit is not accepted: somebody must be told.
	// +optional
	// +kubebuilder:default=Warn
	SelfHealing Action `json:"selfHealing,omitempty"`
	// unlistedAutomation is what IdentityOutsideEnvironment does about service accounts of Shared or unassigned
	// namespaces that are not listed yet. Those of NonProduction namespaces are always denied. Audit is not accepted.
	// +optional
	// +kubebuilder:default=Warn
	UnlistedAutomation Action `json:"unlistedAutomation,omitempty"`
}

// EnvironmentStatus is what Firebreak made of an Environment.
type EnvironmentStatus struct {
	// observedGeneration is the generation of the spec that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// namespaces counts the member namespaces.
	// +optional
	Namespaces int32 `json:"namespaces,omitempty"`
	// dataStores counts the data stores that name this environment.
	// +optional
	DataStores int32 `json:"dataStores,omitempty"`
	// recentReplicas are the numbers of replicas that workloads of this environment asked for within the last hour and
	// no longer ask for. BlastRadius adds small steps up by them. If there are more than 500, it holds those that ended
	// last.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=500
	RecentReplicas []ReplicaPeak `json:"recentReplicas,omitempty"`
	// conditions are of four types. Ready (reasons Compiled, Malformed) says whether the whole spec is in force,
	// Conflict (reasons NoOverlap, NamespaceClaimedTwice) whether another Environment claims one of its namespaces,
	// PendingApproval (reasons Applied, PendingApproval, Refused) whether a declaration in the chart's values waits for
	// a window, and Firewall (reasons Applied, Pending, Foreign, Refused, Failed, Obstructed) whether the network
	// policies of its namespaces are in place. It has Firewall only where the chart's values have them written.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// MaxReplicaPeaks is how many numbers of replicas the status of an Environment holds at most.
const MaxReplicaPeaks = 500

// ReplicaPeak is a number of replicas that a workload asked for.
type ReplicaPeak struct {
	// namespace of the workload.
	// +required
	Namespace string `json:"namespace"`
	// kind of the workload with its group, such as Deployment.apps.
	// +required
	Kind string `json:"kind"`
	// name of the workload.
	// +required
	Name string `json:"name"`
	// replicas is the number that the workload asked for.
	// +required
	Replicas int64 `json:"replicas"`
	// until is when the workload began to ask for fewer.
	// +required
	Until metav1.Time `json:"until"`
}

// EnvironmentList is a list of Environments.
// +kubebuilder:object:root=true
type EnvironmentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// +required
	Items []Environment `json:"items"`
}
