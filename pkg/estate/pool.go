package estate

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

// pools says which environments have a scheduling pool of their own, and what leads into it.
type pools struct {
	selectors                           []selectorClaim
	wanted                              map[string][]*Environment
	taints, priority, runtime, schedule globSet[*Environment]
	tainted                             []*Environment
}

func (e *Estate) addPool(env *Environment) {
	n := env.spec.Nodes
	p := &e.pools
	if p.wanted == nil {
		p.wanted = map[string][]*Environment{}
	}
	if sel := e.selectorOf(env.Name, "spec.nodes.selector", n.Selector); n.Selector != nil {
		p.selectors = append(p.selectors, selectorClaim{sel, env})
		p.want(n.Selector, env)
	}
	for _, g := range n.Taints {
		p.taints.add(g, env)
	}
	if len(n.Taints) > 0 {
		p.tainted = append(p.tainted, env)
	}
	for _, g := range n.PriorityClasses {
		p.priority.add(g, env)
	}
	for _, g := range n.RuntimeClasses {
		p.runtime.add(g, env)
	}
	for _, g := range n.Schedulers {
		p.schedule.add(g, env)
	}
}

// want notes the labels by which workloads ask for the pool.
func (p *pools) want(s *metav1.LabelSelector, env *Environment) {
	add := func(label string) { p.wanted[label] = append(p.wanted[label], env) }
	for k, v := range s.MatchLabels {
		add(k + "=" + v)
		add(k)
	}
	for _, r := range s.MatchExpressions {
		switch r.Operator {
		case metav1.LabelSelectorOpIn:
			add(r.Key)
			for _, v := range r.Values {
				add(r.Key + "=" + v)
			}
		case metav1.LabelSelectorOpExists:
			add(r.Key)
			add(r.Key + "=*")
		default: // what a pool's nodes do not have leads nowhere
		}
	}
}

// Pools returns the environments into whose scheduling pool a placement leads.
func (e *Estate) Pools(t reference.Target) []*Environment {
	var out []*Environment
	add := func(env *Environment) {
		if !slices.Contains(out, env) {
			out = append(out, env)
		}
	}
	p := &e.pools
	switch t.Kind {
	case reference.NodeLabel:
		key, _, valued := strings.Cut(t.Name, "=")
		out = slices.Clone(p.wanted[t.Name])
		if valued {
			for _, env := range p.wanted[key+"=*"] {
				add(env)
			}
		}
	case reference.Taint:
		if t.Name == "*" {
			return p.tainted
		}
		p.taints.each(t.Name, add)
		key, _, valued := strings.Cut(t.Name, "=")
		if valued {
			p.taints.each(key, add) // the pool lists the key alone: any value of it
			break
		}
		for _, env := range p.tainted { // the toleration names the key alone: any value of it
			if slices.ContainsFunc(env.spec.Nodes.Taints, func(g v1alpha1.Glob) bool { k, _, _ := strings.Cut(string(g), "="); return match(k, key) }) {
				add(env)
			}
		}
	case reference.PriorityClass:
		p.priority.each(t.Name, add)
	case reference.RuntimeClass:
		p.runtime.each(t.Name, add)
	case reference.Scheduler:
		p.schedule.each(t.Name, add)
	case reference.Node:
		return e.NodePools(t.Name)
	default: // nothing else places anything
	}
	return out
}

// Provisions reports whether an identity brings nodes of an environment's pool up.
func (env *Environment) Provisions(username string) bool {
	p := env.spec.Nodes.Provisioners
	if ns, name, ok := ServiceAccount(username); ok {
		return MatchServiceAccount(p.ServiceAccounts, ns, name)
	}
	return MatchAny(p.Users, username)
}

// NodePools returns the environments whose pool a node is in.
func (e *Estate) NodePools(name string) []*Environment {
	n, ok := e.nodes[name]
	if !ok {
		return nil
	}
	var out []*Environment
	for _, c := range e.pools.selectors {
		if c.selector.Matches(labels.Set(n.Labels)) {
			out = append(out, c.env)
		}
	}
	for _, t := range n.Taints {
		key, _, _ := strings.Cut(t, "=")
		for _, name := range []string{t, key} {
			e.pools.taints.each(name, func(env *Environment) {
				if !slices.Contains(out, env) {
					out = append(out, env)
				}
			})
		}
	}
	return out
}

// DeclaresPool reports whether any Production environment says which nodes are its own.
func (e *Estate) DeclaresPool() bool {
	return slices.ContainsFunc(e.Production(), func(env *Environment) bool {
		n := env.spec.Nodes
		return n.Selector != nil || len(n.Taints) > 0
	})
}
