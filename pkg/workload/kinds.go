package workload

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/budget"
)

// Kind is one kind of object that runs Pods. This table decides how objects are read, which are watched as owners, which are
// settled and which can be scaled; the chart's rights follow it or are tested against it.
type Kind struct {
	schema.GroupKind
	// Version is the version that is watched. Served versions do not differ in the fields that are read here. The webhook is
	// registered with matchPolicy Equivalent, so it sees the registered version.
	Version string
	// Resource is the plural.
	Resource string
	// Scaled is true if the kind has a scale subresource.
	Scaled bool
	// Makes is the kind that its controller makes of it; empty: none. Their objects name it as their controlling owner and are
	// compared with it, so an owner is watched.
	Makes schema.GroupKind
	// Scheduled is true for kinds of which Kubernetes' own controllers make other objects later, at an instant: nobody else may
	// name such an object as an owner.
	Scheduled bool

	decode func([]byte, *budget.Budget) (*Workload, error)
}

// GroupVersionKind returns the kind in the version that is watched.
func (k *Kind) GroupVersionKind() schema.GroupVersionKind { return k.WithVersion(k.Version) }

// Owns reports whether its Pods, or the objects that make them, are compared with it.
func (k *Kind) Owns() bool { return !k.Makes.Empty() && !k.Scheduled }

// Kinds lists the kinds that have a pod template, in a fixed order.
func Kinds() []Kind {
	return slices.Clone(kinds[:])
}

func table() [8]Kind {
	pods, jobs := schema.GroupKind{Kind: "Pod"}, schema.GroupKind{Group: "batch", Kind: "Job"}
	sets := schema.GroupKind{Group: "apps", Kind: "ReplicaSet"}
	apps := func(kind string) schema.GroupKind { return schema.GroupKind{Group: "apps", Kind: kind} }
	return [...]Kind{
		{GroupKind: pods, Version: "v1", Resource: "pods", decode: pod},
		{GroupKind: jobs, Version: "v1", Resource: "jobs", Makes: pods, Scheduled: true, decode: job},
		{GroupKind: schema.GroupKind{Group: "batch", Kind: "CronJob"}, Version: "v1", Resource: "cronjobs", Makes: jobs, Scheduled: true, decode: cronJob},
		{GroupKind: apps("Deployment"), Version: "v1", Resource: "deployments", Scaled: true, Makes: sets, decode: stateless},
		{GroupKind: apps("StatefulSet"), Version: "v1", Resource: "statefulsets", Scaled: true, Makes: pods, decode: replicated},
		{GroupKind: apps("DaemonSet"), Version: "v1", Resource: "daemonsets", Makes: pods, decode: daemonSet},
		{GroupKind: sets, Version: "v1", Resource: "replicasets", Scaled: true, Makes: pods, decode: stateless},
		{GroupKind: schema.GroupKind{Kind: "ReplicationController"}, Version: "v1", Resource: "replicationcontrollers", Scaled: true, Makes: pods, decode: stateless},
	}
}

// KindOf returns a kind of the table. It returns false if objects of the kind have no known pod template.
func KindOf(gk schema.GroupKind) (Kind, bool) {
	return find(func(k *Kind) bool { return k.GroupKind == gk })
}

// KindOfResource returns the kind of a resource. It returns false if the kind is not in the table.
func KindOfResource(r schema.GroupResource) (Kind, bool) {
	return find(func(k *Kind) bool { return k.Group == r.Group && k.Resource == r.Resource })
}

//nolint:gochecknoglobals // a table, which each request looks at several times
var kinds = table()

func find(is func(*Kind) bool) (Kind, bool) {
	all := &kinds
	for i := range all {
		if is(&all[i]) {
			return all[i], true
		}
	}
	return Kind{}, false
}

// HasTemplate reports whether objects of a kind run Pods.
func HasTemplate(gk schema.GroupKind) bool {
	_, ok := KindOf(gk)
	return ok
}
