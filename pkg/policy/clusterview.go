package policy

import (
	"fmt"
	"net/netip"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// ClusterView is the known state of the cluster, apart from the request. Its functions answer from memory, and none of them may be nil: an
// object that cannot be asked for would be taken for one that does not exist. NewClusterView returns one that holds nothing but an estate.
type ClusterView struct {
	Estate *estate.Estate
	// ConfigMaps and Secrets give the known keys of one object.
	ConfigMaps, Secrets func(namespace, name string) (reference.Contents, bool)
	// Roles gives a Role, or a ClusterRole where the namespace is empty.
	Roles func(namespace, name string) (Role, bool)
	// ClusterRoles gives all ClusterRoles by name.
	ClusterRoles func() map[string]Role
	// Bindings gives the bindings of a Role, or of a ClusterRole where the namespace is empty.
	Bindings func(namespace, role string) []Binding
	// BindingsOf gives the roles that are bound to a service account, by its own name or by a group that every such account is in.
	BindingsOf func(namespace, account string) []BoundRole
	// Tenants gives the namespaces whose Pods run on a node.
	Tenants func(node string) []string
	// PodAt gives the namespace of the Pod that has an address.
	PodAt func(address netip.Addr) (string, bool)
	// Owners gives the remembered part of a controlling owner's stored template, if that owner exists with that UID.
	Owners func(namespace string, owner metav1.OwnerReference) (ScaledWorkload, bool)
	// ScaledWorkloads gives the remembered part of a workload's stored template, by namespace, kind and name: the payload of its
	// scale subresource carries no template.
	ScaledWorkloads func(namespace, kind, name string) (ScaledWorkload, bool)
	// Peaks gives the most replicas that a workload asked for within the last hour, by namespace, kind (as in Deployment.apps) and
	// name, as far as they were seen.
	Peaks func(namespace, kind, name string) int64
	// Running gives the number of Pods with matching labels that the workloads of a namespace ask for.
	Running func(namespace string, selector labels.Selector) int64
	// Freezes gives the freezes that a watch has told of. They only spare the live read of freezes for routine writes: those of
	// operators, launchers and Kubernetes' own autoscaler.
	Freezes func() []v1alpha1.ChangeFreeze
	// Dependents gives the objects that hold state and name an owner by its UID: claims and StatefulSets.
	Dependents func(owner types.UID) []Dependent
	// PinnedBy gives the executions that were admitted with the content of a ConfigMap, and are not known to have ended.
	PinnedBy func(namespace, configMap string) []v1alpha1.ChangeExecution
	// VolumeClaim gives a PersistentVolumeClaim.
	VolumeClaim func(namespace, name string) (Dependent, bool)
	// Environments and Stores give what is known to be declared under a name.
	Environments func(name string) (v1alpha1.Environment, bool)
	Stores       func(name string) (v1alpha1.DataStore, bool)
	// Degraded says, as a clause, why what is known may not be what is stored; it gives an empty string while it is.
	Degraded func() string
	// ControllerUID gives the UID of a service account of kube-system, and false if it is not known yet.
	ControllerUID func(name string) (string, bool)
}

// NewClusterView returns a view that holds nothing but an estate: no object is known, and the UID of every service account of kube-system
// is still to be read.
func NewClusterView(e *estate.Estate) *ClusterView {
	return &ClusterView{
		Estate:          e,
		ConfigMaps:      func(string, string) (reference.Contents, bool) { return reference.Contents{}, false },
		Secrets:         func(string, string) (reference.Contents, bool) { return reference.Contents{}, false },
		Roles:           func(string, string) (Role, bool) { return Role{}, false },
		ClusterRoles:    func() map[string]Role { return nil },
		Bindings:        func(string, string) []Binding { return nil },
		BindingsOf:      func(string, string) []BoundRole { return nil },
		Tenants:         func(string) []string { return nil },
		PodAt:           func(netip.Addr) (string, bool) { return "", false },
		Owners:          func(string, metav1.OwnerReference) (ScaledWorkload, bool) { return ScaledWorkload{}, false },
		ScaledWorkloads: func(string, string, string) (ScaledWorkload, bool) { return ScaledWorkload{}, false },
		Peaks:           func(string, string, string) int64 { return 0 },
		Running:         func(string, labels.Selector) int64 { return 0 },
		Freezes:         func() []v1alpha1.ChangeFreeze { return nil },
		Dependents:      func(types.UID) []Dependent { return nil },
		PinnedBy:        func(string, string) []v1alpha1.ChangeExecution { return nil },
		VolumeClaim:     func(string, string) (Dependent, bool) { return Dependent{}, false },
		ControllerUID:   func(string) (string, bool) { return "", false },
		Environments:    func(string) (v1alpha1.Environment, bool) { return v1alpha1.Environment{}, false },
		Stores:          func(string) (v1alpha1.DataStore, bool) { return v1alpha1.DataStore{}, false },
		Degraded:        func() string { return "" },
	}
}

// complete returns an error if the view lacks a function: no request can then be judged by it.
func (w *ClusterView) complete() error {
	if w == nil {
		return UndecidedError{Why: "nothing is known of the cluster"}
	}
	v := reflect.ValueOf(w).Elem()
	for i := range v.NumField() {
		if v.Field(i).IsNil() {
			return UndecidedError{Why: fmt.Sprintf("ClusterView.%s is nil, so no request can be judged", v.Type().Field(i).Name)}
		}
	}
	return nil
}
