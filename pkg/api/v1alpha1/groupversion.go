package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of all kinds of Firebreak.
const GroupName = "firebreak.dev"

// GroupVersion returns the group and version of the kinds in this package.
func GroupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}
}

// GVK returns the full name of one of this package's kinds.
func GVK(kind string) schema.GroupVersionKind { return GroupVersion().WithKind(kind) }

// The kinds of this group.
const (
	KindEnvironment      = "Environment"
	KindDataStore        = "DataStore"
	KindChangeWindow     = "ChangeWindow"
	KindChangeApproval   = "ChangeApproval"
	KindChangeDelegation = "ChangeDelegation"
	KindChangeExecution  = "ChangeExecution"
	KindChangeFreeze     = "ChangeFreeze"
	KindChangeRecord     = "ChangeRecord"
	KindExemption        = "Exemption"
)

// AddToScheme registers the kinds with a scheme. The error is always nil.
func AddToScheme(s *runtime.Scheme) error {
	gv := GroupVersion()
	s.AddKnownTypes(gv,
		&Environment{}, &EnvironmentList{},
		&DataStore{}, &DataStoreList{},
		&ChangeWindow{}, &ChangeWindowList{},
		&ChangeApproval{}, &ChangeApprovalList{},
		&ChangeDelegation{}, &ChangeDelegationList{},
		&ChangeExecution{}, &ChangeExecutionList{},
		&ChangeFreeze{}, &ChangeFreezeList{},
		&ChangeRecord{}, &ChangeRecordList{},
		&Exemption{}, &ExemptionList{},
	)
	metav1.AddToGroupVersion(s, gv)
	return nil
}
