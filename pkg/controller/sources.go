package controller

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/view"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// NewMemory returns the memory of a server. c must be able to watch everything that the chart's ClusterRole lets it.
func NewMemory(c client.WithWatch, s Settings, clock func() time.Time, log logr.Logger) *Memory {
	m := &Memory{settings: s, clock: clock, log: log, dirty: make(chan struct{}, 1), seen: make(chan types.UID, 1024)}
	quiet := func() {}
	m.environments = mirrorOf(c, "environments", &v1alpha1.Environment{}, &v1alpha1.EnvironmentList{}, m.recall, m.touch)
	m.stores = mirrorOf(c, "data stores", &v1alpha1.DataStore{}, &v1alpha1.DataStoreList{}, copyOf[v1alpha1.DataStore], m.touch)
	m.exemptions = mirrorOf(c, "exemptions", &v1alpha1.Exemption{}, &v1alpha1.ExemptionList{}, copyOf[v1alpha1.Exemption], m.touch)
	m.freezes = mirrorOf(c, "freezes", &v1alpha1.ChangeFreeze{}, &v1alpha1.ChangeFreezeList{}, copyOf[v1alpha1.ChangeFreeze], quiet)
	m.executions = mirrorOf(c, "executions", &v1alpha1.ChangeExecution{}, &v1alpha1.ChangeExecutionList{}, copyOf[v1alpha1.ChangeExecution], m.await,
		client.InNamespace(s.Namespace))
	m.namespaces = metadataMirror(c, "namespaces", corev1.SchemeGroupVersion.WithKind("Namespace"),
		func(o *metav1.PartialObjectMetadata) map[string]string { return o.Labels }, m.touch)
	m.services = mirrorOf(c, "services", &corev1.Service{}, &corev1.ServiceList{}, only(estate.ServiceOf), m.touch)
	m.volumes = mirrorOf(c, "volumes", &corev1.PersistentVolume{}, &corev1.PersistentVolumeList{}, only(estate.VolumeOf), m.touch)
	m.nodes = mirrorOf(c, "nodes", &corev1.Node{}, &corev1.NodeList{}, only(estate.NodeOf), m.touch)
	m.priorities = mirrorOf(c, "priority classes", &schedulingv1.PriorityClass{}, &schedulingv1.PriorityClassList{}, only(estate.PriorityClassOf), m.touch)
	m.autoscalers = mirrorOf(c, "autoscalers", &autoscalingv2.HorizontalPodAutoscaler{}, &autoscalingv2.HorizontalPodAutoscalerList{}, m.scaledBy, quiet)
	m.autoscalers.gone = func(_ string, target view.Workload) { m.peaks.Gone(target, m.clock()) }
	m.pods = mirrorOf(c, "pods", &corev1.Pod{}, &corev1.PodList{}, only(tenantOf), quiet)
	m.accounts = metadataMirror(c, "service accounts of kube-system", corev1.SchemeGroupVersion.WithKind("ServiceAccount"),
		func(o *metav1.PartialObjectMetadata) string { return string(o.UID) }, quiet, client.InNamespace(metav1.NamespaceSystem))
	m.configMaps = mirrorOf(c, "config maps", &corev1.ConfigMap{}, &corev1.ConfigMapList{}, only(reference.Remembered), quiet)
	if s.ReadSecrets {
		m.secrets = mirrorOf(c, "secrets", &corev1.Secret{}, &corev1.SecretList{}, only(reference.RememberedSecret), quiet)
	}
	for _, contents := range []*mirror[reference.Contents]{m.configMaps, m.secrets} {
		if contents != nil && s.Remembered > 0 {
			shelf := newShelf(s.Remembered)
			contents.shelve = shelf.put
			contents.gone = func(key string, _ reference.Contents) { shelf.remove(key) }
		}
	}
	m.roles = []*mirror[policy.Role]{
		mirrorOf(c, "roles", &rbacv1.Role{}, &rbacv1.RoleList{}, only(func(r *rbacv1.Role) policy.Role { return policy.Role{Rules: r.Rules} }), quiet),
		mirrorOf(c, "cluster roles", &rbacv1.ClusterRole{}, &rbacv1.ClusterRoleList{}, only(policy.RoleOf), quiet),
	}
	m.bindings = []*mirror[binding]{
		mirrorOf(c, "role bindings", &rbacv1.RoleBinding{}, &rbacv1.RoleBindingList{}, only(func(b *rbacv1.RoleBinding) binding {
			return bindingOf(b.Namespace, b.Name, b.RoleRef, b.Subjects)
		}), quiet),
		mirrorOf(c, "cluster role bindings", &rbacv1.ClusterRoleBinding{}, &rbacv1.ClusterRoleBindingList{}, only(func(b *rbacv1.ClusterRoleBinding) binding {
			return bindingOf("", b.Name, b.RoleRef, b.Subjects)
		}), quiet),
	}
	m.held = heldMirrors(c)
	m.owners = []*mirror[owner]{
		mirrorOf(c, "deployments", &appsv1.Deployment{}, &appsv1.DeploymentList{}, m.reduceOwner("Deployment"), quiet),
		mirrorOf(c, "replica sets", &appsv1.ReplicaSet{}, &appsv1.ReplicaSetList{}, m.reduceOwner("ReplicaSet"), quiet),
		mirrorOf(c, "stateful sets", &appsv1.StatefulSet{}, &appsv1.StatefulSetList{}, m.reduceOwner("StatefulSet"), quiet),
		mirrorOf(c, "daemon sets", &appsv1.DaemonSet{}, &appsv1.DaemonSetList{}, m.reduceOwner("DaemonSet"), quiet),
		mirrorOf(c, "replication controllers", &corev1.ReplicationController{}, &corev1.ReplicationControllerList{}, m.reduceOwner("ReplicationController"), quiet),
	}
	for _, o := range m.owners {
		o.gone = func(key string, v owner) {
			namespace, name, _ := strings.Cut(key, "/")
			m.peaks.Gone(view.Workload{namespace, v.kind, name}, m.clock())
		}
	}
	return m
}

// copyOf keeps an object whole, without what only the API server needs.
func copyOf[T any, P interface {
	*T
	client.Object
}](o runtime.Object) (T, bool) {
	p, ok := o.(P)
	if !ok {
		var zero T
		return zero, false
	}
	p.SetManagedFields(nil)
	return *p, true
}

// only makes a reduction of one kind of object one of any.
func only[P client.Object, T any](reduce func(P) T) func(runtime.Object) (T, bool) {
	return func(o runtime.Object) (T, bool) {
		p, ok := o.(P)
		if !ok {
			var zero T
			return zero, false
		}
		return reduce(p), true
	}
}

// reduceOwner keeps what the template of an owner refers to.
func (m *Memory) reduceOwner(kind string) func(runtime.Object) (owner, bool) {
	return func(o runtime.Object) (owner, bool) {
		t, meta := templateOf(o)
		if t == nil {
			return owner{}, false
		}
		in := reference.Input{
			Namespace:  meta.Namespace,
			ConfigMaps: m.namedHosts,
			Secrets:    m.secretOrNone(),
			Template:   &workload.Template{Path: "spec.template", Labels: t.Labels, Annotations: t.Annotations, Spec: t.Spec},
		}
		out := owner{uid: meta.UID, kind: kind, Parent: policy.ParentOf(in)}
		out.Replicas, out.Labels = replicasOf(o), t.Labels
		m.peaks.Note(view.Workload{meta.Namespace, kind, meta.Name}, out.Replicas, m.clock())
		return out, true
	}
}

// recall keeps an Environment, and what its status says of replicas that workloads asked for.
func (m *Memory) recall(o runtime.Object) (v1alpha1.Environment, bool) {
	e, ok := copyOf[v1alpha1.Environment](o)
	m.peaks.Recall(e.Status.RecentReplicas, m.clock())
	return e, ok
}

// scaledBy notes how many replicas an autoscaler saw of what it scales. Of custom resources nothing else tells; of other kinds nothing
// is kept.
func (m *Memory) scaledBy(o runtime.Object) (view.Workload, bool) {
	a, ok := o.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return view.Workload{}, false
	}
	t := a.Spec.ScaleTargetRef
	if gv, err := schema.ParseGroupVersion(t.APIVersion); err != nil || gv.Group == appsv1.GroupName || gv.Group == "" {
		return view.Workload{}, false
	}
	key := view.Workload{a.Namespace, t.Kind, t.Name}
	if before, known := m.autoscalers.get(a.Namespace + "/" + a.Name); known && before != key {
		m.peaks.Gone(before, m.clock())
	}
	m.peaks.Note(key, int64(a.Status.CurrentReplicas), m.clock())
	return key, true
}

// namedHosts gives the hosts that a ConfigMap names, and not its values: what $(VAR) composes of values that came later
// than the owner is nothing that the owner had, and heals nothing.
func (m *Memory) namedHosts(namespace, name string) (reference.Contents, bool) {
	cm, ok := m.configMap(namespace, name)
	out := reference.Contents{Keys: make(map[string]reference.Content, len(cm.Keys)), Large: cm.Large}
	for k, v := range cm.Keys {
		out.Keys[k] = reference.Content{Targets: v.Targets, Long: true}
	}
	return out, ok
}

func replicasOf(o runtime.Object) int64 {
	var n *int32
	switch o := o.(type) {
	case *appsv1.Deployment:
		n = o.Spec.Replicas
	case *appsv1.ReplicaSet:
		n = o.Spec.Replicas
	case *appsv1.StatefulSet:
		n = o.Spec.Replicas
	case *corev1.ReplicationController:
		n = o.Spec.Replicas
	}
	if n == nil {
		return 1
	}
	return int64(*n)
}

func templateOf(o runtime.Object) (*corev1.PodTemplateSpec, *metav1.ObjectMeta) {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return &o.Spec.Template, &o.ObjectMeta
	case *appsv1.ReplicaSet:
		return &o.Spec.Template, &o.ObjectMeta
	case *appsv1.StatefulSet:
		return &o.Spec.Template, &o.ObjectMeta
	case *appsv1.DaemonSet:
		return &o.Spec.Template, &o.ObjectMeta
	case *corev1.ReplicationController:
		return o.Spec.Template, &o.ObjectMeta
	}
	return nil, nil
}

func mirrorOf[T any](c client.WithWatch, name string, sample client.Object, list client.ObjectList,
	reduce func(runtime.Object) (T, bool), changed func(), opts ...client.ListOption) *mirror[T] {
	return newMirror(name, listWatch(c, list, opts...), sample, reduce, changed)
}

func metadataMirror[T any](c client.WithWatch, name string, gvk schema.GroupVersionKind,
	reduce func(*metav1.PartialObjectMetadata) T, changed func(), opts ...client.ListOption) *mirror[T] {
	sample := &metav1.PartialObjectMetadata{}
	sample.SetGroupVersionKind(gvk)
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	return newMirror(name, listWatch(c, list, opts...), sample, func(o runtime.Object) (T, bool) {
		p, ok := o.(*metav1.PartialObjectMetadata)
		if !ok {
			var zero T
			return zero, false
		}
		return reduce(p), true
	}, changed)
}

func listWatch(c client.WithWatch, list client.ObjectList, opts ...client.ListOption) cache.ListerWatcher {
	with := func(o metav1.ListOptions) []client.ListOption {
		return append([]client.ListOption{&client.ListOptions{Raw: &o}}, opts...)
	}
	fresh := func() (client.ObjectList, error) {
		l, ok := list.DeepCopyObject().(client.ObjectList)
		if !ok {
			return nil, fmt.Errorf("%T is no list", list)
		}
		return l, nil
	}
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			l, err := fresh()
			if err != nil {
				return nil, err
			}
			return l, c.List(ctx, l, with(o)...)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			l, err := fresh()
			if err != nil {
				return nil, err
			}
			return c.Watch(ctx, l, with(o)...)
		},
	}
}
