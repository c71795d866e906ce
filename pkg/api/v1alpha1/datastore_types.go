package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DataStore is something that holds state and belongs to one environment: a database, cache, queue or bucket.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=fbds,categories=firebreak
// +kubebuilder:printcolumn:name="Environment",type=string,JSONPath=`.spec.environment`
// +kubebuilder:printcolumn:name="Tier",type=string,JSONPath=`.status.tier`
// +kubebuilder:printcolumn:name="Hosts",type=string,JSONPath=`.spec.hosts`
// +kubebuilder:printcolumn:name="Conflict",type=string,JSONPath=`.status.conditions[?(@.type=="Conflict")].status`
// +kubebuilder:printcolumn:name="Pending",type=string,JSONPath=`.status.conditions[?(@.type=="PendingApproval")].status`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type DataStore struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says how references to the data store are recognised.
	// +required
	Spec DataStoreSpec `json:"spec"`
	// status is what Firebreak made of the spec. Only Firebreak writes it.
	// +optional
	Status DataStoreStatus `json:"status,omitempty"`
}

// DataStoreSpec says how references to a data store are recognised. It must name something, or no reference could ever
// match.
// +kubebuilder:validation:XValidation:rule="(has(self.hosts) && size(self.hosts) > 0) || (has(self.cidrs) && size(self.cidrs) > 0) || (has(self.resourceNames) && size(self.resourceNames) > 0) || (has(self.services) && size(self.services) > 0) || has(self.credentials)",message="name at least one host, range, resource name, service or credential",reason="FieldValueRequired",fieldPath=".hosts"
type DataStoreSpec struct {
	// environment is the environment that the data store belongs to. One that does not exist counts as Production for
	// non-production subjects.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Environment string `json:"environment"`
	// hosts are DNS names without scheme and port. A leading `*.` matches any number of labels, at least one.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^(\*\.)?[^\s/:@*?#,]+$`
	Hosts []string `json:"hosts,omitempty"`
	// cidrs are address ranges, such as 10.20.0.0/16; a single address is a /32 or /128.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=49
	// +kubebuilder:validation:items:XValidation:rule="isCIDR(self)",message="must be a range such as 10.20.0.0/16",reason="FieldValueInvalid"
	CIDRs []string `json:"cidrs,omitempty"`
	// resourceNames are ARNs, resource names of Google Cloud, identifiers of Azure and Oracle Cloud, URLs of buckets, queues and
	// brokers, and bare instance identifiers, which count only where a cloud's command line or a bucket's field takes one. Each is found
	// in every spelling of its form. A name in no known form is compared letter by letter, and the condition Ready says so.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=3
	// +kubebuilder:validation:items:MaxLength=2048
	ResourceNames []string `json:"resourceNames,omitempty"`
	// services are Kubernetes Services in front of the data store, in this cluster.
	// +optional
	// +listType=map
	// +listMapKey=namespace
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	Services []ServiceReference `json:"services,omitempty"`
	// credentials are the credentials that open the data store.
	// +optional
	Credentials *Credentials `json:"credentials,omitempty"`
}

// ServiceReference names a Kubernetes Service.
type ServiceReference struct {
	// namespace of the Service.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
	// name of the Service.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
}

// Credentials names what opens a data store, and never contains it.
// +kubebuilder:validation:XValidation:rule="(has(self.secrets) && size(self.secrets) > 0) || (has(self.vaultPaths) && size(self.vaultPaths) > 0) || (has(self.roleNames) && size(self.roleNames) > 0)",message="name at least one secret, vault path or role",reason="FieldValueRequired",fieldPath=".secrets"
type Credentials struct {
	// secrets are globs over names of Kubernetes Secrets of this environment.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	Secrets []Glob `json:"secrets,omitempty"`
	// vaultPaths are globs over paths of a secret store.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=1024
	VaultPaths []string `json:"vaultPaths,omitempty"`
	// roleNames are globs over cloud roles and service principals.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=2048
	RoleNames []string `json:"roleNames,omitempty"`
}

// DataStoreStatus is what Firebreak made of a DataStore.
type DataStoreStatus struct {
	// observedGeneration is the generation of the spec that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// tier of the environment. It is empty if the environment does not exist.
	// +optional
	Tier Tier `json:"tier,omitempty"`
	// conditions are of three types. Ready (reasons Compiled, Malformed, EnvironmentNotFound) says whether the whole
	// spec is in force, Conflict (reasons NoOverlap, HostClaimedTwice) whether another DataStore claims the same with
	// equal precision, and PendingApproval (reasons Applied, PendingApproval, Refused) whether a declaration in the
	// chart's values waits for a window.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// DataStoreList is a list of DataStores.
// +kubebuilder:object:root=true
type DataStoreList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// +required
	Items []DataStore `json:"items"`
}
