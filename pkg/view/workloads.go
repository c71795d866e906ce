package view

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/reference"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// owner is the kept part of an object that may own Pods: its identity, what matters of its template, and what it holds if it
// is a StatefulSet.
type owner struct {
	Workload
	uid types.UID
	policy.ScaledWorkload
	held *held
}

// workload makes a kind keep its workloads under keys that include the kind.
func (v *View) workload(k *Kind) *Kind {
	at := func(key string) string {
		namespace, name, _ := strings.Cut(key, "/")
		return Workload{namespace, k.Kind, name}.key()
	}
	k.Uses = true
	put, drop := k.put, k.drop
	k.put = func(key string, value any) bool { return put(at(key), value) }
	k.drop = func(key string) { drop(at(key)) }
	return k
}

func (w Workload) key() string { return w.Namespace + "/" + w.Kind + "/" + w.Name }

func (v *View) deployment(o *appsv1.Deployment) owner {
	return v.keep("Deployment", &o.ObjectMeta, &o.Spec.Template, o.Spec.Replicas)
}

func (v *View) replicaSet(o *appsv1.ReplicaSet) owner {
	return v.keep("ReplicaSet", &o.ObjectMeta, &o.Spec.Template, o.Spec.Replicas)
}

func (v *View) daemonSet(o *appsv1.DaemonSet) owner {
	return v.keep("DaemonSet", &o.ObjectMeta, &o.Spec.Template, nil)
}

func (v *View) statefulSet(o *appsv1.StatefulSet) owner {
	out := v.keep("StatefulSet", &o.ObjectMeta, &o.Spec.Template, o.Spec.Replicas)
	h := heldBy(appsv1.SchemeGroupVersion.WithKind("StatefulSet"), &o.ObjectMeta)
	out.held = &h
	return out
}

func (v *View) replicationController(o *corev1.ReplicationController) owner {
	template := o.Spec.Template
	if template == nil {
		template = &corev1.PodTemplateSpec{}
	}
	return v.keep("ReplicationController", &o.ObjectMeta, template, o.Spec.Replicas)
}

// keep returns what the template of a workload refers to, and notes how many replicas it asks for: one if it does not say.
func (v *View) keep(kind string, meta *metav1.ObjectMeta, t *corev1.PodTemplateSpec, replicas *int32) owner {
	out := owner{
		Workload: Workload{meta.Namespace, kind, meta.Name}, uid: meta.UID,
		ScaledWorkload: policy.ParentOf(reference.Input{
			Namespace: meta.Namespace, ConfigMaps: v.hostsOf(v.configMap), Secrets: v.hostsOf(v.secret),
			Template: &workload.Template{Path: "spec.template", Labels: t.Labels, Annotations: t.Annotations, Spec: t.Spec},
		}),
	}
	out.Labels, out.Replicas = t.Labels, 1
	if replicas != nil {
		out.Replicas = int64(*replicas)
	}
	v.Peaks.Note(out.counted(), out.Replicas, v.clock())
	return out
}

// counted returns the name that the replicas of a workload are counted under: its kind includes its group.
func (w Workload) counted() Workload {
	if w.Kind != "ReplicationController" {
		w.Kind += "." + appsv1.GroupName
	}
	return w
}

func (v *View) gone(_ string, o owner) { v.Peaks.Gone(o.counted(), v.clock()) }

// hostsOf returns the hosts that a ConfigMap or Secret names, without its values: the owner did not have what $(VAR) composes
// of values that came later, so that heals nothing.
func (v *View) hostsOf(contents func(namespace, name string) (reference.Contents, bool)) func(namespace, name string) (reference.Contents, bool) {
	return func(namespace, name string) (reference.Contents, bool) {
		c, ok := contents(namespace, name)
		out := reference.Contents{Keys: make([]reference.Content, 0, len(c.Keys)), Large: c.Large, Prints: c.Prints}
		for _, k := range c.Keys {
			out.Keys = append(out.Keys, reference.Content{Name: k.Name, Targets: k.Targets, Long: true})
		}
		return out, ok
	}
}

// scaledBy notes how many replicas an autoscaler saw of its target. It does so for custom resources, of which nothing else
// tells; for other kinds it keeps nothing.
func (v *View) scaledBy(a *autoscalingv2.HorizontalPodAutoscaler) (Workload, bool) {
	t := a.Spec.ScaleTargetRef
	if gv, err := schema.ParseGroupVersion(t.APIVersion); err != nil || gv.Group == appsv1.GroupName || gv.Group == "" {
		return Workload{}, false
	}
	target := Workload{a.Namespace, schema.FromAPIVersionAndKind(t.APIVersion, t.Kind).GroupKind().String(), t.Name}
	if before, known := v.autoscalers.Get(Key(a)); known && before != target {
		v.Peaks.Gone(before, v.clock())
	}
	v.Peaks.Note(target, int64(a.Status.CurrentReplicas), v.clock())
	return target, true
}

func (v *View) owner(namespace string, ref metav1.OwnerReference) (policy.ScaledWorkload, bool) {
	o, ok := v.workloads.Get(Workload{namespace, ref.Kind, ref.Name}.key())
	return o.ScaledWorkload, ok && o.uid == ref.UID
}

func (v *View) parent(namespace, kind, name string) (policy.ScaledWorkload, bool) {
	o, ok := v.workloads.Get(Workload{namespace, kind, name}.key())
	return o.ScaledWorkload, ok
}

func (v *View) peak(namespace, kind, name string) int64 {
	return v.Peaks.Of(Workload{namespace, kind, name}, v.clock())
}

// running returns how many replicas the workloads of a namespace ask for whose Pods a selector matches; a ReplicaSet is
// counted with its Deployment. It looks at every workload, since it is called only when a disruption budget is written.
func (v *View) running(namespace string, sel labels.Selector) int64 {
	var n int64
	v.workloads.Each(func(_ string, o owner) {
		if o.Namespace == namespace && o.Kind != "ReplicaSet" && sel.Matches(labels.Set(o.Labels)) {
			n += o.Replicas
		}
	})
	return n
}
