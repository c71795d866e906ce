package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/budget"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy/tools"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// Operation is what a request does, as AdmissionReviews name it.
type Operation string

// The operations.
const (
	Create  Operation = "CREATE"
	Update  Operation = "UPDATE"
	Delete  Operation = "DELETE"
	Connect Operation = "CONNECT"
)

// Request is a request to be judged.
type Request struct {
	Operation   Operation
	Kind        schema.GroupVersionKind
	Resource    schema.GroupVersionResource
	SubResource string
	// Namespace and Name are the object's. For a Namespace both are its name.
	Namespace, Name string
	User            authenticationv1.UserInfo
	// Object and OldObject are JSON; either may be empty.
	Object, OldObject []byte
	DryRun            bool
	// Options are those of a CONNECT (which container, which command) or a DELETE (what becomes of dependents), as JSON.
	Options []byte
	// Stored is true if this is not a request, but a stored object that is judged again.
	Stored bool
	// Now is the server's clock, by which everything but a CREATE is judged.
	Now time.Time
	// Facts is what was read for this request because it was missing.
	Facts Facts
	// Budget is the one that reading the object is paid from; if it is nil, the request gets one of its own.
	Budget *budget.Budget
}

// Username returns the name of the requester.
func (r *Request) Username() string { return r.User.Username }

// Binding is one RoleBinding or, without a namespace, one ClusterRoleBinding.
type Binding struct {
	Namespace, Name string
	Subjects        []rbacv1.Subject
}

// BoundRole is a role that is bound to somebody, and the namespace in which it is bound: everywhere, if Namespace is empty.
type BoundRole struct {
	Namespace string
	// RoleNamespace is empty for a ClusterRole.
	RoleNamespace, Role string
}

// Holds reports whether subjects of a binding in a namespace include a service account.
func Holds(subjects []rbacv1.Subject, bindingNamespace, namespace, account string) bool {
	return slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool {
		switch s.Kind {
		case rbacv1.ServiceAccountKind:
			return s.Name == account && cmp.Or(s.Namespace, bindingNamespace) == namespace
		case rbacv1.UserKind:
			return s.Name == estate.AccountUser(namespace, account)
		case rbacv1.GroupKind:
			return s.Name == "system:serviceaccounts" || s.Name == "system:serviceaccounts:"+namespace
		}
		return false
	})
}

// Dependent is an object that the garbage collector deletes with its owner.
type Dependent struct {
	schema.GroupVersionKind
	Namespace, Name string
	UID             types.UID
	Labels          map[string]string
}

// ScaledWorkload is the part of a workload's stored template that matters.
type ScaledWorkload struct {
	// References are those of the template.
	References []reference.Reference
	// Unread are the ConfigMaps and Secrets that it uses and that are too large to be remembered. Partial is true if the template
	// itself could not be read whole, or names more than is remembered.
	Unread  []reference.Via
	Partial bool
	// Prints are the fingerprints of the names that the template holds by chance.
	Prints []reference.Print
	// Programs are those that it runs, as many as are remembered. The environment of a later request says which are maintenance tools.
	Programs []tools.Program
	// Replicas is how many the workload asks for.
	Replicas int64
	// Labels are those of its Pods.
	Labels map[string]string
}

// maxPrints is how many fingerprints of one template are remembered.
const maxPrints = 4096

// maxParent is how many references of one template are remembered.
const maxParent = 512

// ParentOf reads a stored template, so that the template need not be kept. The result keeps no text of it in memory. Its references say
// what the template leads to, not where or how it says so.
func ParentOf(in reference.Input) ScaledWorkload {
	in.Budget = budget.New()
	found := reference.ExtractRemembered(in)
	out := ScaledWorkload{Prints: found.Prints, Unread: found.Unread, Partial: found.Limit != "" || len(found.References) > maxParent}
	for p := range tools.Programs(in) {
		out.Programs = append(out.Programs, p.Remembered())
		if len(out.Programs) == tools.MaxPrograms {
			break
		}
	}
	if len(out.Prints) > maxPrints {
		out.Prints, out.Partial = nil, true
	}
	seen := map[reference.Reference]bool{}
	for _, r := range found.References[:min(len(found.References), maxParent)] {
		kept := reference.Reference{Target: r.Target, Use: r.Use}
		kept.Name, kept.Namespace = strings.Clone(r.Name), strings.Clone(r.Namespace)
		if !seen[kept] {
			seen[kept] = true
			out.References = append(out.References, kept)
		}
	}
	return out
}

// errNoObject is the error for a review without the object that its operation must carry.
var errNoObject = errors.New("the request carries no object")

// Controllers lists the service accounts of kube-system that are Kubernetes' own controllers. The list is exact: a
// prefix would let anybody's name in.
func Controllers() []string {
	return []string{
		"attachdetach-controller", "certificate-controller", "clusterrole-aggregation-controller",
		"cronjob-controller", "daemon-set-controller", "deployment-controller", "device-taint-eviction-controller", "disruption-controller",
		"endpoint-controller", "endpointslice-controller", "endpointslicemirroring-controller", "ephemeral-volume-controller",
		"expand-controller", "generic-garbage-collector", "horizontal-pod-autoscaler", "job-controller",
		"legacy-service-account-token-cleaner", "namespace-controller", "node-controller", "persistent-volume-binder",
		"pod-garbage-collector", "pv-protection-controller", "pvc-protection-controller", "replicaset-controller",
		"replication-controller", "resource-claim-controller", "resourcequota-controller", "root-ca-cert-publisher",
		"route-controller", "service-account-controller", "service-cidrs-controller", "service-controller", "statefulset-controller",
		"taint-eviction-controller", "token-cleaner", "ttl-after-finished-controller", "ttl-controller",
		"validatingadmissionpolicy-status-controller", "volumeattributesclass-protection-controller",
	}
}

// Names of the control plane: users that are not service accounts, groups, and the namespace of the controllers.
const (
	userControllerManager = "system:kube-controller-manager"
	userScheduler         = "system:kube-scheduler"
	userAPIServer         = "system:apiserver"
	groupNodes            = "system:nodes"
	nodePrefix            = "system:node:"
	groupAuthenticated    = "system:authenticated"
	controllerNamespace   = "kube-system"
)

// credentialID is a key in the extra of a user that shows a token of its own service account, and of no other user.
const credentialID = "authentication.kubernetes.io/credential-id"

// Requester is the sender of a request.
type Requester struct {
	authenticationv1.UserInfo
	*estate.Identity
	// Controller is true for Kubernetes' own controllers, Person for a user that is not one of them, not a service account, and not
	// listed as automation.
	Controller, Person bool
	// AccountNamespace and Account are set for service accounts.
	AccountNamespace, Account string
	// Borrowed is true for a service account that is impersonated (it has no UID) or shows a long-lived token (it
	// has no credential-id).
	Borrowed bool
}

// impersonated reports whether the requester is somebody who acts as a service account: it then shows no UID.
func (r *Requester) impersonated() bool { return r.Account != "" && r.UID == "" }

// String describes the requester as messages do.
func (r *Requester) String() string {
	if r.Account != "" {
		return fmt.Sprintf("service account %q", r.AccountNamespace+"/"+r.Account)
	}
	return fmt.Sprintf("user %q", r.Username)
}

func (w *ClusterView) requester(u authenticationv1.UserInfo) (*Requester, *Missing) {
	r := &Requester{UserInfo: u, Identity: w.Estate.Identity(u.Username, u.Groups)}
	ns, name, machine := estate.ServiceAccount(u.Username)
	if machine && u.UID == "" {
		r.Identity = w.Estate.Impersonated(u.Username, u.Groups)
	}
	if machine {
		r.AccountNamespace, r.Account = ns, name
		_, shown := u.Extra[credentialID]
		r.Borrowed = u.UID == "" || !shown
	}
	switch {
	case isControlPlane(u.Username, u.Groups), isNode(u.Username, u.Groups):
		r.Controller = true
	case machine && ns == controllerNamespace && !r.Borrowed && slices.Contains(Controllers(), name):
		known, ok := w.ControllerUID(name)
		if !ok {
			return r, &Missing{Controller: name}
		}
		r.Controller = known == u.UID // a deleted and re-created account is another one
	}
	r.Person = !machine && !r.Automation && !r.Controller
	return r, nil
}

// isControlPlane reports whether a user is a part of the control plane. The API server is also in the administrators' group; the others
// have no group but system:authenticated, so a user with such a name and a further group has come by the name somehow.
func isControlPlane(name string, groups []string) bool {
	switch name {
	case userAPIServer:
		return true
	case userControllerManager, userScheduler:
		return subset(groups, []string{groupAuthenticated})
	}
	return false
}

// isNode reports whether a user is a kubelet: it has the name and the group, and no group but those that clusters give to nodes. Anybody
// may come by a certificate with only the name or only the group.
func isNode(name string, groups []string) bool {
	return strings.HasPrefix(name, nodePrefix) && slices.Contains(groups, groupNodes) && subset(groups, NodeGroups())
}

// NodeGroups lists the groups that a node may have. The chart's matchConditions repeat it.
func NodeGroups() []string {
	return []string{groupNodes, groupAuthenticated, "system:bootstrappers", "system:node-proxier", "eks:kube-proxy-windows"}
}

func subset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}
