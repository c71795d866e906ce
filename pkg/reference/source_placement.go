package reference

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// placement finds what puts the Pods of a workload on certain nodes, or before others.
func placement(in *Input) []Reference {
	var out []Reference
	for _, t := range in.templates() {
		p := placed{reader: in.reader, spec: t.SpecPath()}
		p.template(t)
		out = append(out, p.out...)
	}
	return out
}

type placed struct {
	*reader
	spec string
	out  []Reference
}

func (p *placed) add(field, text string, kind Kind, name string) {
	for _, r := range p.in(p.spec, "."+field, text, p.keep(nil, Target{Kind: kind, Name: name, Unambiguous: true})) {
		r.Use = Places
		p.out = append(p.out, r)
	}
}

func (p *placed) template(t *workload.Template) {
	s := &t.Spec
	p.add("nodeName", s.NodeName, Node, s.NodeName)
	p.add("priorityClassName", s.PriorityClassName, PriorityClass, s.PriorityClassName)
	p.add("schedulerName", s.SchedulerName, Scheduler, s.SchedulerName)
	if s.RuntimeClassName != nil {
		p.add("runtimeClassName", *s.RuntimeClassName, RuntimeClass, *s.RuntimeClassName)
	}
	for k, v := range s.NodeSelector {
		p.add(fmt.Sprintf("nodeSelector[%q]", k), v, NodeLabel, k+"="+v)
		if k == corev1.LabelHostname {
			p.add(fmt.Sprintf("nodeSelector[%q]", k), v, Node, v)
		}
	}
	for i, tol := range s.Tolerations {
		p.add(fmt.Sprintf("tolerations[%d]", i), tol.Key, Taint, tolerated(&tol))
	}
	if a := s.Affinity; a != nil && a.NodeAffinity != nil {
		p.nodeAffinity(a.NodeAffinity)
	}
	if a := s.Affinity; a != nil && a.PodAffinity != nil {
		p.podAffinity(a.PodAffinity)
	}
	if a := s.Affinity; a != nil && a.PodAntiAffinity != nil {
		for i := range a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
			// It holds both ways: where this runs, those it names may not.
			p.podTerm(fmt.Sprintf("affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[%d]", i),
				&a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[i])
		}
	}
	p.host(t)
}

// host finds what lets a workload reach its node.
func (p *placed) host(t *workload.Template) {
	s := &t.Spec
	for field, on := range map[string]bool{"hostPID": s.HostPID, "hostIPC": s.HostIPC, "hostNetwork": s.HostNetwork} {
		if on {
			p.add(field, "true", HostAccess, field)
		}
	}
	for i, v := range s.Volumes {
		if v.HostPath != nil {
			p.add(fmt.Sprintf("volumes[%d].hostPath.path", i), v.HostPath.Path, HostAccess, "hostPath")
		}
	}
	for _, c := range t.Containers() {
		if sc := c.SecurityContext; sc != nil && sc.Privileged != nil && *sc.Privileged {
			p.add(strings.TrimPrefix(c.Path, p.spec+".")+".securityContext.privileged", "true", HostAccess, "privileged")
		}
	}
}

// tolerated returns the taint as key=value; a toleration without a key, or for any value of it, is wider.
func tolerated(t *corev1.Toleration) string {
	switch {
	case t.Key == "" && t.Effect == corev1.TaintEffectNoExecute:
		return "" // it stays where it is for longer, and gets nowhere
	case t.Key == "":
		return "*"
	case t.Operator == corev1.TolerationOpExists:
		return t.Key
	}
	return t.Key + "=" + t.Value
}

func (p *placed) nodeAffinity(a *corev1.NodeAffinity) {
	if r := a.RequiredDuringSchedulingIgnoredDuringExecution; r != nil {
		for i, term := range r.NodeSelectorTerms {
			p.term(fmt.Sprintf("affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[%d]", i), &term)
		}
	}
	for i, pref := range a.PreferredDuringSchedulingIgnoredDuringExecution {
		p.term(fmt.Sprintf("affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[%d].preference", i), &pref.Preference)
	}
}

func (p *placed) term(field string, t *corev1.NodeSelectorTerm) {
	for i, e := range t.MatchExpressions {
		at := fmt.Sprintf("%s.matchExpressions[%d]", field, i)
		switch e.Operator {
		case corev1.NodeSelectorOpIn:
			for j, v := range e.Values {
				p.add(fmt.Sprintf("%s.values[%d]", at, j), v, NodeLabel, e.Key+"="+v)
				if e.Key == corev1.LabelHostname {
					p.add(fmt.Sprintf("%s.values[%d]", at, j), v, Node, v)
				}
			}
		case corev1.NodeSelectorOpExists:
			if !excludes(t, e.Key) {
				p.add(at, e.Key, NodeLabel, e.Key)
			}
		default: // what keeps away from nodes puts nothing on them
		}
	}
	for i, e := range t.MatchFields {
		for j, v := range e.Values {
			if e.Key == "metadata.name" && e.Operator == corev1.NodeSelectorOpIn {
				p.add(fmt.Sprintf("%s.matchFields[%d].values[%d]", field, i, j), v, Node, v)
			}
		}
	}
}

// excludes: the same term keeps away from some values of the label.
func excludes(t *corev1.NodeSelectorTerm, key string) bool {
	return slices.ContainsFunc(t.MatchExpressions, func(e corev1.NodeSelectorRequirement) bool {
		return e.Key == key && e.Operator == corev1.NodeSelectorOpNotIn
	})
}

// podAffinity draws a workload to where Pods of other namespaces run.
func (p *placed) podAffinity(a *corev1.PodAffinity) {
	for i := range a.RequiredDuringSchedulingIgnoredDuringExecution {
		p.podTerm(fmt.Sprintf("affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[%d]", i), &a.RequiredDuringSchedulingIgnoredDuringExecution[i])
	}
	for i := range a.PreferredDuringSchedulingIgnoredDuringExecution {
		p.podTerm(fmt.Sprintf("affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[%d].podAffinityTerm", i), &a.PreferredDuringSchedulingIgnoredDuringExecution[i].PodAffinityTerm)
	}
}

func (p *placed) podTerm(field string, t *corev1.PodAffinityTerm) {
	for i, ns := range t.Namespaces {
		p.add(fmt.Sprintf("%s.namespaces[%d]", field, i), ns, Namespace, ns)
	}
	s := t.NamespaceSelector
	switch {
	case s == nil:
	case len(s.MatchLabels)+len(s.MatchExpressions) == 0:
		p.add(field+".namespaceSelector", "", Namespace, "*") // all of them
	default:
		text := metav1.FormatLabelSelector(s)
		p.add(field+".namespaceSelector", text, NamespaceSelector, text)
	}
}
