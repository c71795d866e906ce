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

// ClusterView is what is known apart from the request. Its functions answer from memory, and none of them may be nil: what nobody can be
// asked for would be taken for what is not there. NewClusterView makes one in which there is nothing but an estate.
type ClusterView struct {
	Estate *estate.Estate
	// ConfigMaps and Secrets give what is known of the keys of one.
	ConfigMaps, Secrets func(namespace, name string) (reference.Contents, bool)
	// Roles gives a Role, or a ClusterRole where the namespace is empty.
	Roles func(namespace, name string) (Role, bool)
	// ClusterRoles gives all ClusterRoles by name.
	ClusterRoles func() map[string]Role
	// Bindings gives who is bound to a Role, or to a ClusterRole where the namespace is empty.
	Bindings func(namespace, role string) []Binding
	// BindingsOf gives the roles that are bound to a service account, by its own name or by a group that every such account is in.
	BindingsOf func(namespace, account string) []BoundRole
	// Tenants gives the namespaces whose Pods run on a node.
	Tenants func(node string) []string
	// PodAt gives the namespace of the Pod that has an address.
	PodAt func(address netip.Addr) (string, bool)
	// Owners gives what is known of the stored template of a controlling owner, if that owner exists with that UID.
	Owners func(namespace string, owner metav1.OwnerReference) (ScaledWorkload, bool)
	// ScaledWorkloads gives what is known of the stored template of a workload, by namespace, kind and name: the payload of its
	// scale subresource carries none.
	ScaledWorkloads func(namespace, kind, name string) (ScaledWorkload, bool)
	// Peaks gives the most replicas that a workload asked for within the last hour, by namespace, kind (as in Deployment.apps) and
	// name, as far as that was seen.
	Peaks func(namespace, kind, name string) int64
	// Running gives how many Pods the workloads of a namespace ask for whose labels a selector matches.
	Running func(namespace string, selector labels.Selector) int64
	// Freezes are those that a watch has told of. They only spare reading the freezes for what nobody waits for: what operators,
	// launchers and Kubernetes' own autoscaler write.
	Freezes func() []v1alpha1.ChangeFreeze
	// Dependents gives what holds state and names an owner by its UID: claims and stateful sets.
	Dependents func(owner types.UID) []Dependent
	// VolumeClaim gives a PersistentVolumeClaim.
	VolumeClaim func(namespace, name string) (Dependent, bool)
	// ControllerUID gives the UID of a service account of kube-system; false: it is not known yet.
	ControllerUID func(name string) (string, bool)
}

// NewClusterView returns a view in which there is nothing but an estate: no object is known, and every service account of kube-system has
// yet to be asked for.
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
		VolumeClaim:     func(string, string) (Dependent, bool) { return Dependent{}, false },
		ControllerUID:   func(string) (string, bool) { return "", false },
	}
}

// complete says what the view lacks, for which no request can be judged by it.
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
