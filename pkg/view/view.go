package view

import (
	"reflect"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// Settings are what Firebreak is told about its cluster when it starts.
type Settings struct {
	// Cluster is the cluster's own name.
	Cluster string
	// DefaultEnvironment is the environment of namespaces that none claims. If it is empty, they are unassigned.
	DefaultEnvironment string
	// Namespace and ServiceAccount are what Firebreak itself runs in and as.
	Namespace, ServiceAccount string
	// ReadSecrets is true if Secrets are read like ConfigMaps, so that workloads refer to what their Secrets name.
	ReadSecrets bool
	// Remembered is how many bytes may be kept of all ConfigMaps, and as many of all Secrets. Anything beyond is read by the
	// request that uses it. 0 sets no bound, for tests and for commands that end.
	Remembered int64
}

// View is what is kept of a cluster's objects. Make one with New.
type View struct {
	settings Settings
	clock    func() time.Time
	kinds    []*Kind
	changes  changes
	repeated texts

	// These tables keep objects of Firebreak's own kinds whole.
	Environments Table[v1alpha1.Environment]
	Stores       Table[v1alpha1.DataStore]
	Exemptions   Table[v1alpha1.Exemption]
	Freezes      Table[v1alpha1.ChangeFreeze]
	Executions   Table[v1alpha1.ChangeExecution]
	// Peaks are the numbers of replicas of the last hour.
	Peaks Peaks

	namespaces  Table[map[string]string]
	services    Table[estate.Service]
	volumes     Table[estate.Volume]
	nodes       Table[estate.Node]
	priorities  Table[estate.PriorityClass]
	autoscalers Table[Workload]
	pods        Table[tenant]
	configMaps  Table[reference.Packed]
	secrets     Table[reference.Packed]
	roles       Table[policy.Role] // of both kinds: a Role's key has a namespace
	bindings    Table[binding]
	accounts    Table[string]
	workloads   Table[owner] // by namespace/kind/name
	claims      Table[held]
}

// New returns an empty view. It takes the time of what it sees from clock.
func New(s Settings, clock func() time.Time) *View {
	v := &View{settings: s, clock: clock}
	v.kinds = append(v.ownKinds(), v.clusterKinds()...)
	v.kinds = append(v.kinds, v.contentKinds()...)
	v.kinds = append(v.kinds, v.roleKinds()...)
	v.kinds = append(v.kinds, v.workloadKinds()...)
	for _, k := range v.kinds {
		if k.Estate {
			v.observe(k)
		}
	}
	return v
}

// Kinds returns the kinds of objects that the view keeps something of. Kinds that others are reduced by come first.
func (v *View) Kinds() []*Kind { return v.kinds }

// Tables returns a copy of every table by its name, so that two views can be compared.
func (v *View) Tables() map[string]any {
	return map[string]any{
		"environments": v.Environments.All(), "stores": v.Stores.All(), "exemptions": v.Exemptions.All(), "freezes": v.Freezes.All(), "executions": v.Executions.All(),
		"namespaces": v.namespaces.All(), "services": v.services.All(), "volumes": v.volumes.All(), "nodes": v.nodes.All(), "priorities": v.priorities.All(),
		"autoscalers": v.autoscalers.All(), "pods": v.pods.All(), "configMaps": v.configMaps.All(), "secrets": v.secrets.All(), "roles": v.roles.All(),
		"bindings": v.bindings.All(), "accounts": v.accounts.All(), "workloads": v.workloads.All(), "claims": v.claims.All(), "peaks": v.Peaks.Past(v.clock()),
	}
}

// whole keeps an object without the fields that only the API server needs, or that only files hold.
func whole[T any, P interface {
	*T
	client.Object
}](p P) (T, bool) {
	p.SetManagedFields(nil)
	p.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	return *p, true
}

// estates marks kinds that the estate is compiled from.
func estates(kinds ...*Kind) []*Kind {
	for _, k := range kinds {
		k.Estate = true
	}
	return kinds
}

func (v *View) ownKinds() []*Kind {
	executions := kept("executions", v1alpha1.GVK(v1alpha1.KindChangeExecution), &v1alpha1.ChangeExecution{}, &v1alpha1.ChangeExecutionList{}, &v.Executions, whole[v1alpha1.ChangeExecution], nil)
	executions.Namespace = v.settings.Namespace
	return append(estates(
		declaration[v1alpha1.Environment]("environments", asSpecified(kept("environments", v1alpha1.GVK(v1alpha1.KindEnvironment), &v1alpha1.Environment{}, &v1alpha1.EnvironmentList{}, &v.Environments, v.environment, nil), &v.Environments, func(e *v1alpha1.Environment) any { return &e.Status }), &v.Environments),
		declaration[v1alpha1.DataStore]("datastores", asSpecified(kept("data stores", v1alpha1.GVK(v1alpha1.KindDataStore), &v1alpha1.DataStore{}, &v1alpha1.DataStoreList{}, &v.Stores, v.dataStore, nil), &v.Stores, func(d *v1alpha1.DataStore) any { return &d.Status }), &v.Stores),
		asSpecified(kept("exemptions", v1alpha1.GVK(v1alpha1.KindExemption), &v1alpha1.Exemption{}, &v1alpha1.ExemptionList{}, &v.Exemptions, whole[v1alpha1.Exemption], nil), &v.Exemptions, func(x *v1alpha1.Exemption) any { return &x.Status }),
	),
		kept("freezes", v1alpha1.GVK(v1alpha1.KindChangeFreeze), &v1alpha1.ChangeFreeze{}, &v1alpha1.ChangeFreezeList{}, &v.Freezes, whole[v1alpha1.ChangeFreeze], nil),
		executions)
}

// specified is an object whose status decides nothing.
type specified[T any] interface {
	*T
	client.Object
}

// asSpecified makes a kind report no news when only the status of an object has changed: every status that Firebreak writes
// comes back as a change, and the estate would be compiled again.
func asSpecified[T any, P specified[T]](k *Kind, t *Table[T], status func(P) any) *Kind {
	bare := func(v T) T {
		p := P(&v)
		p.SetResourceVersion("")
		reflect.ValueOf(status(p)).Elem().SetZero()
		return v
	}
	k.put = func(key string, v any) bool {
		value, ok := v.(T)
		before, known := t.Get(key)
		return ok && t.Put(key, value) && (!known || !reflect.DeepEqual(bare(before), bare(value)))
	}
	return k
}

// declaration marks a kind whose objects are declarations. resource is its plural in the API.
func declaration[T any, P specified[T]](resource string, k *Kind, t *Table[T]) *Kind {
	k.Definition = resource + "." + v1alpha1.GroupName
	k.count = t.Len
	k.created = func(key string) (time.Time, bool) {
		v, ok := t.Get(key)
		return P(&v).GetCreationTimestamp().Time, ok
	}
	return k
}

// dataStore keeps a DataStore, in two pieces of memory as far as may be: there may be ten thousand of them with a hundred thousand hosts, and the
// collector of garbage looks at each piece.
func (v *View) dataStore(d *v1alpha1.DataStore) (v1alpha1.DataStore, bool) {
	delete(d.Annotations, corev1.LastAppliedConfigAnnotation)
	kept, _ := whole(d)
	kept = *kept.DeepCopy()
	kept.Spec.Environment = v.repeated.once(kept.Spec.Environment)
	for i := range kept.Status.Conditions {
		c := &kept.Status.Conditions[i]
		c.Type, c.Reason, c.Message = v.repeated.once(c.Type), v.repeated.once(c.Reason), v.repeated.once(c.Message)
	}
	compact(reflect.ValueOf(&kept).Elem(), v.repeated.shared)
	return kept, true
}

// environment keeps an Environment, and takes in the peaks of replicas that its status records.
func (v *View) environment(e *v1alpha1.Environment) (v1alpha1.Environment, bool) {
	v.Peaks.Recall(e.Status.RecentReplicas, v.clock())
	return whole(e)
}

func (v *View) clusterKinds() []*Kind {
	core := corev1.SchemeGroupVersion.WithKind
	priorities := kept("priority classes", schedulingv1.SchemeGroupVersion.WithKind("PriorityClass"), &schedulingv1.PriorityClass{}, &schedulingv1.PriorityClassList{}, &v.priorities, always(estate.PriorityClassOf), nil)
	priorities.Estate, priorities.Later = true, true
	return append(estates(
		metadata("namespaces", core("Namespace"), &v.namespaces, func(o *metav1.PartialObjectMetadata) map[string]string { return v.labels(o.Labels) }),
		kept("services", core("Service"), &corev1.Service{}, &corev1.ServiceList{}, &v.services, always(estate.ServiceOf), nil),
		kept("volumes", core("PersistentVolume"), &corev1.PersistentVolume{}, &corev1.PersistentVolumeList{}, &v.volumes, always(estate.VolumeOf), nil),
		kept("nodes", core("Node"), &corev1.Node{}, &corev1.NodeList{}, &v.nodes, always(estate.NodeOf), nil),
	),
		priorities,
		kept("pods", core("Pod"), &corev1.Pod{}, &corev1.PodList{}, &v.pods, always(tenantOf), nil),
		v.accountsKind(), metadata("claims", core("PersistentVolumeClaim"), &v.claims, heldOf),
	)
}

// labels keeps labels, whose keys very many namespaces have.
func (v *View) labels(of map[string]string) map[string]string {
	if of == nil {
		return nil
	}
	out := make(map[string]string, len(of))
	for key, value := range of {
		out[v.repeated.once(key)] = strings.Clone(value)
	}
	return out
}

func (v *View) accountsKind() *Kind {
	k := metadata("service accounts of kube-system", corev1.SchemeGroupVersion.WithKind("ServiceAccount"), &v.accounts, func(o *metav1.PartialObjectMetadata) string { return string(o.UID) })
	k.Namespace = metav1.NamespaceSystem
	return k
}

func (v *View) contentKinds() []*Kind {
	core := corev1.SchemeGroupVersion.WithKind
	configMaps := kept("config maps", core("ConfigMap"), &corev1.ConfigMap{}, &corev1.ConfigMapList{}, &v.configMaps,
		always(func(c *corev1.ConfigMap) reference.Packed { return reference.Remembered(c).Packed() }), nil)
	out := []*Kind{v.contents(configMaps, &v.configMaps)}
	if v.settings.ReadSecrets {
		secrets := kept("secrets", core("Secret"), &corev1.Secret{}, &corev1.SecretList{}, &v.secrets,
			always(func(s *corev1.Secret) reference.Packed { return reference.RememberedSecret(s).Packed() }), nil)
		out = append(out, v.contents(secrets, &v.secrets))
	}
	return out
}

// contents marks a kind whose objects workloads take values from, and bounds what is kept of it.
func (v *View) contents(k *Kind, t *Table[reference.Packed]) *Kind {
	k.Contents = true
	if v.settings.Remembered > 0 {
		newShelf(t, v.settings.Remembered).bound(k)
	}
	return k
}

func (v *View) roleKinds() []*Kind {
	rbac := rbacv1.SchemeGroupVersion.WithKind
	return []*Kind{
		kept("roles", rbac("Role"), &rbacv1.Role{}, &rbacv1.RoleList{}, &v.roles, always(func(r *rbacv1.Role) policy.Role { return policy.Role{Rules: r.Rules} }), nil),
		kept("cluster roles", rbac("ClusterRole"), &rbacv1.ClusterRole{}, &rbacv1.ClusterRoleList{}, &v.roles, always(policy.RoleOf), nil),
		kept("role bindings", rbac("RoleBinding"), &rbacv1.RoleBinding{}, &rbacv1.RoleBindingList{}, &v.bindings, always(func(b *rbacv1.RoleBinding) binding {
			return bindingOf(b.Namespace, b.Name, b.RoleRef, b.Subjects)
		}), nil),
		kept("cluster role bindings", rbac("ClusterRoleBinding"), &rbacv1.ClusterRoleBinding{}, &rbacv1.ClusterRoleBindingList{}, &v.bindings, always(func(b *rbacv1.ClusterRoleBinding) binding {
			return bindingOf("", b.Name, b.RoleRef, b.Subjects)
		}), nil),
	}
}

func (v *View) workloadKinds() []*Kind {
	apps := appsv1.SchemeGroupVersion.WithKind
	autoscalers := kept("autoscalers", autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"), &autoscalingv2.HorizontalPodAutoscaler{}, &autoscalingv2.HorizontalPodAutoscalerList{}, &v.autoscalers,
		v.scaledBy, func(_ string, target Workload) { v.Peaks.Gone(target, v.clock()) })
	autoscalers.Later = true
	return []*Kind{
		v.workload(kept("deployments", apps("Deployment"), &appsv1.Deployment{}, &appsv1.DeploymentList{}, &v.workloads, always(v.deployment), v.gone)),
		v.workload(kept("replica sets", apps("ReplicaSet"), &appsv1.ReplicaSet{}, &appsv1.ReplicaSetList{}, &v.workloads, always(v.replicaSet), v.gone)),
		v.workload(kept("stateful sets", apps("StatefulSet"), &appsv1.StatefulSet{}, &appsv1.StatefulSetList{}, &v.workloads, always(v.statefulSet), v.gone)),
		v.workload(kept("daemon sets", apps("DaemonSet"), &appsv1.DaemonSet{}, &appsv1.DaemonSetList{}, &v.workloads, always(v.daemonSet), v.gone)),
		v.workload(kept("replication controllers", corev1.SchemeGroupVersion.WithKind("ReplicationController"), &corev1.ReplicationController{}, &corev1.ReplicationControllerList{}, &v.workloads, always(v.replicationController), v.gone)),
		autoscalers,
	}
}

// Compile returns the estate of the objects that are kept.
func (v *View) Compile() *estate.Estate {
	return estate.Compile(estate.Input{
		Environments:       v.Environments.Values(),
		DataStores:         v.Stores.Values(),
		Exemptions:         v.Exemptions.Values(),
		Namespaces:         v.namespaces.All(),
		Services:           v.services.All(),
		Volumes:            v.volumes.All(),
		Nodes:              v.nodes.All(),
		Priorities:         v.priorities.All(),
		Cluster:            v.settings.Cluster,
		DefaultEnvironment: v.settings.DefaultEnvironment,
		FirebreakNamespace: v.settings.Namespace,
		FirebreakAccount:   v.settings.ServiceAccount,
		Yield:              func() { time.Sleep(Rest) },
	})
}

// Rest is how long a compilation rests each time, so that requests are answered meanwhile where the process has one core. Most kernels make a
// millisecond of it.
const Rest = 200 * time.Microsecond

// ClusterView returns what requests are judged by: an estate, and the view as it is at the time of each question.
func (v *View) ClusterView(e *estate.Estate) *policy.ClusterView {
	return &policy.ClusterView{
		Estate:          e,
		ConfigMaps:      v.configMap,
		Secrets:         v.secret,
		Roles:           v.role,
		ClusterRoles:    v.clusterRoles,
		Bindings:        v.bound,
		BindingsOf:      v.bindingsOf,
		Tenants:         v.tenants,
		PodAt:           v.podAt,
		Owners:          v.owner,
		ScaledWorkloads: v.parent,
		Peaks:           v.peak,
		Running:         v.running,
		ControllerUID:   v.controllerUID,
		Freezes:         v.Freezes.Values,
		Dependents:      v.owned,
		PinnedBy:        v.pinnedBy,
		VolumeClaim:     v.claim,
		Environments:    v.Environments.Get,
		Stores:          v.Stores.Get,
		Degraded:        func() string { return "" },
	}
}
