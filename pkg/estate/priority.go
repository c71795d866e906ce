package estate

import (
	"math"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
)

// PriorityClass is what matters of a PriorityClass.
type PriorityClass struct {
	Value int32
	// Preempts: its Pods may have others evicted. Default: Pods that name no class are of this one.
	Preempts, Default bool
}

// PriorityClassOf reduces a PriorityClass.
func PriorityClassOf(p *schedulingv1.PriorityClass) PriorityClass {
	return PriorityClass{
		Value:    p.Value,
		Preempts: p.PreemptionPolicy == nil || *p.PreemptionPolicy != corev1.PreemptNever,
		Default:  p.GlobalDefault,
	}
}

// PriorityClass returns what is known of a class. Every cluster has the two that begin with "system-".
func (e *Estate) PriorityClass(name string) (PriorityClass, bool) {
	if p, ok := e.priorities[name]; ok {
		return p, true
	}
	if name == "system-cluster-critical" || name == "system-node-critical" {
		return PriorityClass{Value: math.MaxInt32, Preempts: true}, true
	}
	return PriorityClass{}, false
}

// Outranked returns the first Production environment whose workloads may be evicted for those of a class; nil: no workload of
// any is. The taints of a pool keep others' workloads away, unless their priority is the system's own.
func (e *Estate) Outranked(class PriorityClass) *Environment {
	if !class.Preempts || !e.HostsProduction() {
		return nil
	}
	for _, env := range e.Production() {
		apart := len(env.spec.Nodes.Taints) > 0 && class.Value <= highestUserDefined
		if !apart && class.Value > e.lowestPriority(env) {
			return env
		}
	}
	return nil
}

// highestUserDefined is the highest value that a class may have that is not the system's; Kubernetes keeps the
// constant in an internal package (pkg/apis/scheduling).
const highestUserDefined = 1_000_000_000

// lowestPriority of an environment's workloads: of the classes that it declares as its own, or of Pods that name none.
func (e *Estate) lowestPriority(env *Environment) int32 {
	lowest, declared, byDefault := int32(math.MaxInt32), false, int32(0)
	for name, p := range e.priorities {
		if p.Default {
			byDefault = p.Value
		}
		for _, g := range env.spec.Nodes.PriorityClasses {
			if match(string(g), name) {
				lowest, declared = min(lowest, p.Value), true
			}
		}
	}
	if !declared {
		return byDefault
	}
	return lowest
}
