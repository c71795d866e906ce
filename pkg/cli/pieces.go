package cli

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/view"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// pieces gathers what the world is made of, as the server's memory does from its watches.
type pieces struct {
	known       *known
	in          *estate.Input
	readSecrets bool

	// configMaps and secrets by namespace/name: what the server would remember of them.
	configMaps, secrets map[string]reference.Contents
	owners              map[string]ownerTemplate
	// roles and bindings by namespace/name of the role, or the name of a ClusterRole.
	roles    map[string]policy.Role
	bindings map[string][]policy.Binding
	held     []held
	peaks    view.Peaks
	at       time.Time
}

type ownerTemplate struct {
	uid      string
	template *workload.Template
	wanted   int64
}

func (p *pieces) world() *policy.World {
	w := &policy.World{
		Estate:       estate.Compile(*p.in),
		ConfigMaps:   lookup(p.configMaps),
		Roles:        func(ns, name string) (policy.Role, bool) { r, ok := p.roles[qualified(ns, name)]; return r, ok },
		ClusterRoles: p.clusterRoles,
		Bindings:     func(ns, role string) []policy.Binding { return p.bindings[qualified(ns, role)] },
		BindingsOf:   p.bindingsOf,
		Parents:      p.parent, Peaks: p.peak, Running: p.running, Owned: p.owned, Claim: p.claim,
	}
	if p.readSecrets {
		w.Secrets = lookup(p.secrets)
	}
	w.Owners = func(ns string, ref metav1.OwnerReference) (policy.Parent, bool) {
		t, ok := p.owners[ns+"/"+ref.Kind+"/"+ref.Name]
		if !ok || t.uid != string(ref.UID) {
			return policy.Parent{}, false
		}
		return policy.ParentOf(reference.Input{Namespace: ns, Template: t.template, ConfigMaps: w.ConfigMaps, Secrets: w.Secrets}), true
	}
	return w
}

func (p *pieces) bindingsOf(namespace, account string) []policy.BoundRole {
	var out []policy.BoundRole
	for role, all := range p.bindings {
		for _, b := range all {
			if policy.Holds(b.Subjects, b.Namespace, namespace, account) {
				ns, name, ok := strings.Cut(role, "/")
				if !ok {
					ns, name = "", role
				}
				out = append(out, policy.BoundRole{Namespace: b.Namespace, RoleNamespace: ns, Role: name})
			}
		}
	}
	return out
}

func (p *pieces) clusterRoles() map[string]policy.Role {
	out := map[string]policy.Role{}
	for name, r := range p.roles {
		if !strings.Contains(name, "/") {
			out[name] = r
		}
	}
	return out
}

// parent reads the template of a workload that is scaled.
func (p *pieces) parent(namespace, kind, name string) (policy.Parent, bool) {
	t, ok := p.owners[namespace+"/"+kind+"/"+name]
	if !ok {
		return policy.Parent{}, false
	}
	out := policy.ParentOf(reference.Input{Namespace: namespace, Template: t.template, ConfigMaps: lookup(p.configMaps)})
	out.Replicas, out.Labels = t.wanted, t.template.Labels
	return out, true
}

func (p *pieces) peak(namespace, kind, name string) int64 {
	return p.peaks.Of(view.Workload{Namespace: namespace, Kind: kind, Name: name}, p.at)
}

// running counts what the workloads ask for whose Pods a selector matches; what a Deployment makes is counted with it.
func (p *pieces) running(namespace string, sel labels.Selector) int64 {
	var n int64
	for key, t := range p.owners {
		if strings.HasPrefix(key, namespace+"/") && !strings.HasPrefix(key, namespace+"/ReplicaSet/") && sel.Matches(labels.Set(t.template.Labels)) {
			n += t.wanted
		}
	}
	return n
}

func lookup(all map[string]reference.Contents) func(namespace, name string) (reference.Contents, bool) {
	return func(ns, name string) (reference.Contents, bool) { c, ok := all[ns+"/"+name]; return c, ok }
}

func qualified(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

func (p *pieces) sort(u *unstructured.Unstructured) error {
	state := p.known.state
	switch u.GroupVersionKind() {
	case v1alpha1.GVK(v1alpha1.KindEnvironment):
		if err := appendTo(&p.in.Environments, u); err != nil {
			return err
		}
		p.peaks.Recall(p.in.Environments[len(p.in.Environments)-1].Status.RecentReplicas, p.at)
		return nil
	case v1alpha1.GVK(v1alpha1.KindDataStore):
		return appendTo(&p.in.DataStores, u)
	case v1alpha1.GVK(v1alpha1.KindExemption):
		return appendTo(&p.in.Exemptions, u)
	case v1alpha1.GVK(v1alpha1.KindChangeWindow):
		return appendTo(&state.Windows, u)
	case v1alpha1.GVK(v1alpha1.KindChangeApproval):
		return appendTo(&state.Approvals, u)
	case v1alpha1.GVK(v1alpha1.KindChangeExecution):
		return appendTo(&state.Executions, u)
	case v1alpha1.GVK(v1alpha1.KindChangeFreeze):
		return appendTo(&state.Freezes, u)
	}
	if u.GroupVersionKind().Group == rbacv1.GroupName {
		return p.sortRBAC(u)
	}
	return p.sortCluster(u)
}

func (p *pieces) sortCluster(u *unstructured.Unstructured) error {
	key := u.GetNamespace() + "/" + u.GetName()
	switch u.GroupVersionKind() {
	case corev1.SchemeGroupVersion.WithKind("Namespace"):
		p.in.Namespaces[u.GetName()] = u.GetLabels()
	case corev1.SchemeGroupVersion.WithKind("Service"):
		return with(u, func(s *corev1.Service) { p.in.Services[key] = estate.ServiceOf(s) })
	case corev1.SchemeGroupVersion.WithKind("PersistentVolume"):
		return with(u, func(v *corev1.PersistentVolume) { p.in.Volumes[u.GetName()] = estate.VolumeOf(v) })
	case corev1.SchemeGroupVersion.WithKind("Node"):
		return with(u, func(n *corev1.Node) { p.in.Nodes[u.GetName()] = estate.NodeOf(n) })
	case schedulingv1.SchemeGroupVersion.WithKind("PriorityClass"):
		return with(u, func(c *schedulingv1.PriorityClass) { p.in.Priorities[u.GetName()] = estate.PriorityClassOf(c) })
	case corev1.SchemeGroupVersion.WithKind("ConfigMap"):
		return with(u, func(cm *corev1.ConfigMap) {
			p.configMaps[key], p.known.state.ConfigMaps[key] = reference.Remembered(cm), change.ConfigMapContent(cm)
			p.known.large[large{reference.Via{Kind: u.GetKind(), Name: u.GetName()}, u.GetNamespace()}] = func(known func(reference.Target) bool) reference.Contents {
				return reference.ReadConfigMap(cm, nil, known)
			}
		})
	case corev1.SchemeGroupVersion.WithKind("Secret"):
		return with(u, func(s *corev1.Secret) {
			p.secrets[key] = reference.RememberedSecret(s)
			p.known.large[large{reference.Via{Kind: u.GetKind(), Name: u.GetName()}, u.GetNamespace()}] = func(known func(reference.Target) bool) reference.Contents {
				return reference.ReadSecret(s, nil, known)
			}
		})
	case corev1.SchemeGroupVersion.WithKind(claim):
		p.hold(u)
	case appsv1.SchemeGroupVersion.WithKind("Deployment"), appsv1.SchemeGroupVersion.WithKind("ReplicaSet"),
		appsv1.SchemeGroupVersion.WithKind("StatefulSet"), appsv1.SchemeGroupVersion.WithKind("DaemonSet"),
		corev1.SchemeGroupVersion.WithKind("ReplicationController"):
		return p.owner(u)
	}
	return nil
}

func (p *pieces) owner(u *unstructured.Unstructured) error {
	raw, err := json.Marshal(u.Object)
	if err != nil {
		return err
	}
	w, err := workload.Of(u.GroupVersionKind().GroupKind(), raw)
	if err != nil {
		return err
	}
	if u.GetKind() == "StatefulSet" {
		p.hold(u)
	}
	p.owners[u.GetNamespace()+"/"+u.GetKind()+"/"+u.GetName()] = ownerTemplate{string(u.GetUID()), &w.Template, w.Wanted}
	return nil
}

func (p *pieces) sortRBAC(u *unstructured.Unstructured) error {
	bind := func(ref rbacv1.RoleRef, subjects []rbacv1.Subject) {
		role := ref.Name
		if ref.Kind == "Role" {
			role = qualified(u.GetNamespace(), ref.Name)
		}
		for _, s := range subjects {
			if s.Kind == rbacv1.ServiceAccountKind {
				p.known.accounts[types.NamespacedName{Namespace: cmp.Or(s.Namespace, u.GetNamespace()), Name: s.Name}] = true
			}
		}
		p.bindings[role] = append(p.bindings[role], policy.Binding{Namespace: u.GetNamespace(), Name: u.GetName(), Subjects: subjects})
	}
	key := qualified(u.GetNamespace(), u.GetName())
	switch u.GetKind() {
	case "Role":
		return with(u, func(r *rbacv1.Role) { p.roles[key] = policy.Role{Rules: r.Rules} })
	case "ClusterRole":
		return with(u, func(r *rbacv1.ClusterRole) { p.roles[key] = policy.RoleOf(r) })
	case "RoleBinding":
		return with(u, func(b *rbacv1.RoleBinding) { bind(b.RoleRef, b.Subjects) })
	case "ClusterRoleBinding":
		return with(u, func(b *rbacv1.ClusterRoleBinding) { bind(b.RoleRef, b.Subjects) })
	}
	return nil
}

func with[T any](u *unstructured.Unstructured, use func(*T)) error {
	var v T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &v); err != nil {
		return err
	}
	use(&v)
	return nil
}
