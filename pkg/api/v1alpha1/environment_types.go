package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Tier is the side of the boundary on which an environment stands.
// +kubebuilder:validation:Enum=Production;NonProduction;Shared
type Tier string

const (
	// TierProduction is what must not be touched by mistake.
	TierProduction Tier = "Production"
	// TierNonProduction is everything else that people work in. Unknown subjects are NonProduction.
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
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="metadata.name must be at most 63 characters, so that it fits a label"
type Environment struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is that of any object.
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
	// nodes describes the environment's own scheduling pool. Empty: it has none.
	// +optional
	Nodes NodePool `json:"nodes,omitempty"`
	// gateways are the dedicated proxies through which data may cross tiers. Empty: none may.
	// +optional
	// +listType=map
	// +listMapKey=host
	// +kubebuilder:validation:MaxItems=64
	Gateways []Gateway `json:"gateways,omitempty"`
	// changeControl says how changes in this environment are bounded. Omitted in a Production environment: every
	// default of its fields. Forbidden in any other tier.
	// +optional
	ChangeControl *ChangeControl `json:"changeControl,omitempty"`
	// enforcement says what happens when a rule objects here. Omitted: everything is denied that a rule objects to.
	// +optional
	// +kubebuilder:default={}
	Enforcement Enforcement `json:"enforcement,omitempty"`
}

// NamespaceMembers says which namespaces are members; either of its fields makes a namespace one.
type NamespaceMembers struct {
	// names are globs over names of namespaces.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=512
	Names []Glob `json:"names,omitempty"`
	// selector matches labels of namespaces. Omitted or empty: it matches none.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// IdentityMembers says who may act in an environment.
type IdentityMembers struct {
	// users that are members.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Users []Glob `json:"users,omitempty"`
	// groups whose users are members.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Groups []Glob `json:"groups,omitempty"`
	// serviceAccounts that are members although their namespace is none.
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
	// impersonated are service accounts that count as members although somebody acts as them: Kubernetes shows no UID of an
	// account that is impersonated. GitOps controllers that impersonate a tenant's account need it. Whoever may impersonate an
	// account of this list has its power in this environment. Omitted: an impersonated account is not a member here, whatever
	// else lists it. Meaningful in environments of tier Production only.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Impersonated []ServiceAccountGlob `json:"impersonated,omitempty"`
	// automation lists users that are no persons, such as CI systems. It classifies them in every environment and
	// grants nothing.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Automation []Glob `json:"automation,omitempty"`
}

// NodePool describes a separate scheduling pool.
type NodePool struct {
	// selector matches labels of the pool's nodes. Omitted or empty: it matches none.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
	// taints of the pool's nodes, as key or key=value.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	Taints []Glob `json:"taints,omitempty"`
	// provisioners bring nodes up: they may let a node join the pool without a window. Taking a node out of the pool needs one.
	// +optional
	Provisioners NodeProvisioners `json:"provisioners,omitempty"`
	// priorityClasses that only this environment's workloads use.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	PriorityClasses []Glob `json:"priorityClasses,omitempty"`
	// runtimeClasses that only this environment's workloads use.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	RuntimeClasses []Glob `json:"runtimeClasses,omitempty"`
	// schedulers that only this environment's workloads use.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	Schedulers []Glob `json:"schedulers,omitempty"`
}

// NodeProvisioners are the automations that bring nodes up, such as Karpenter, cluster-api, kops or a cloud's own controllers.
type NodeProvisioners struct {
	// users that bring nodes up, by their names.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	Users []Glob `json:"users,omitempty"`
	// serviceAccounts that bring nodes up. One that is impersonated does not count.
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
	// reason says why, for whoever reads it a year later.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason"`
	// expiresAt is the first instant at which the gateway no longer counts.
	// +required
	// +kubebuilder:validation:XValidation:rule="self > timestamp('1970-01-01T00:00:00Z')",message="must be after 1970, and written like 2027-03-31T00:00:00Z",reason="FieldValueInvalid"
	ExpiresAt metav1.Time `json:"expiresAt"`
}

// The generator drops an enum of a field whose type has one, so two values of Action are excluded here.

// Enforcement says what happens when a rule objects in this environment.
// +kubebuilder:validation:XValidation:rule="!has(self.selfHealing) || self.selfHealing != 'Audit'",message="must be Warn or Deny, since somebody must be told",reason="FieldValueInvalid",fieldPath=".selfHealing"
// +kubebuilder:validation:XValidation:rule="!has(self.unlistedAutomation) || self.unlistedAutomation != 'Audit'",message="must be Warn or Deny, since somebody must be told",reason="FieldValueInvalid",fieldPath=".unlistedAutomation"
type Enforcement struct {
	// default holds for every rule that Rules does not name.
	// +optional
	// +kubebuilder:default=Deny
	Default Action `json:"default,omitempty"`
	// rules overrides Default rule by rule.
	// +optional
	// +kubebuilder:validation:MaxProperties=17
	// +kubebuilder:validation:XValidation:rule="self.all(name, name in ['IdentityOutsideEnvironment','GrantAcrossTiers','BoundaryTampering','DataStoreAcrossTiers','NamespaceAcrossTiers','CredentialAcrossTiers','PlacementAcrossTiers','RouteAcrossTiers','StorageAcrossTiers','ChangeWindowRequired','PlanMismatch','TargetNotConfirmed','ExecutionsExhausted','InteractiveAccess','ChangeFrozen','ProtectedState','BlastRadius'])",message="keys must be names of rules, such as DataStoreAcrossTiers",reason="FieldValueInvalid"
	Rules map[RuleName]Action `json:"rules,omitempty"`
	// selfHealing is what happens to Pods that a controller replaces although their stored owner already names
	// what a content rule objects to. Audit is not accepted: somebody must be told.
	// +optional
	// +kubebuilder:default=Warn
	SelfHealing Action `json:"selfHealing,omitempty"`
	// unlistedAutomation is what IdentityOutsideEnvironment does about service accounts of Shared or unassigned
	// namespaces that nobody listed yet. Those of NonProduction namespaces are always denied. Audit is not accepted.
	// +optional
	// +kubebuilder:default=Warn
	UnlistedAutomation Action `json:"unlistedAutomation,omitempty"`
}

// EnvironmentStatus is what Firebreak made of an Environment.
type EnvironmentStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// namespaces counts the member namespaces.
	// +optional
	Namespaces int32 `json:"namespaces,omitempty"`
	// dataStores counts the data stores that name this environment.
	// +optional
	DataStores int32 `json:"dataStores,omitempty"`
	// recentReplicas are the numbers of replicas that workloads of this environment asked for within the last hour and ask for no
	// more: what BlastRadius adds small steps up by. Of more than 500, those that ended last.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=500
	RecentReplicas []ReplicaPeak `json:"recentReplicas,omitempty"`
	// conditions are: Ready (reasons Compiled, Malformed) says whether the whole spec is in force; Conflict (reasons
	// NoOverlap, NamespaceClaimedTwice) whether another Environment claims one of its namespaces; PendingApproval
	// (reasons Applied, PendingApproval, Refused) whether what the chart's values declare waits for a window.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// MaxReplicaPeaks is how many numbers of replicas the status of an Environment holds.
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
	// replicas that it asked for.
	// +required
	Replicas int64 `json:"replicas"`
	// until is when it began to ask for fewer.
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
