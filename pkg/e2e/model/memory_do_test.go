package model

import (
	"fmt"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/apistore"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// do does a step, and returns its outcome.
func (m *memory) do(s step, at time.Time) outcome {
	switch s.op {
	case request:
		return m.create(s.person, "changewindows", pinning(windowOf(s.name, s.draft, at), m.env), false, none)
	case extend:
		w, ok := apistore.Find[*v1alpha1.ChangeWindow](m.store, s.name)
		if !ok {
			return outcome{kind: missing}
		}
		return m.create(s.person, "changewindows", extending(w, at, s.length), false, none)
	case approve, reject:
		w, ok := apistore.Find[*v1alpha1.ChangeWindow](m.store, s.key(s.name))
		if !ok {
			return outcome{kind: missing}
		}
		a := wordAbout(w, s.op == reject)
		out := m.create(s.person, "changeapprovals", a, false, none)
		out.uid = a.Name
		return out
	case forget:
		return deleted[*v1alpha1.ChangeApproval](m, s, "changeapprovals", s.name)
	case shut:
		return deleted[*v1alpha1.ChangeWindow](m, s, "changewindows", s.key(s.name))
	case freeze:
		return m.create(s.person, "changefreezes", freezeOf(s.name, at, s.lasts), false, none)
	case lift:
		return deleted[*v1alpha1.ChangeFreeze](m, s, "changefreezes", s.name)
	case run:
		return m.create(s.person, "jobs", jobOf(s.name, s.plan, s.suspended), s.dry, s.fault)
	case remove:
		return deleted[*batchv1.Job](m, s, "jobs", s.name)
	case resume:
		return m.resume(s)
	case require:
		return m.require(s)
	case pass:
		m.mu.Lock()
		m.at = m.at.Add(s.lasts)
		m.mu.Unlock()
	case restart:
		m.start(s.number)
	case burst:
		return m.burst(s)
	}
	return outcome{kind: admitted}
}

func deleted[T client.Object](m *memory, s step, resource, name string) outcome {
	o, ok := apistore.Find[T](m.store, name)
	if !ok {
		return outcome{kind: missing}
	}
	r := m.ask("/admit", review{person: s.person, op: admissionv1.Delete, resource: resource, old: o})
	if r.Allowed {
		m.store.Drop(o)
	}
	return outcomeOf(r.Allowed, r.Result)
}

func (m *memory) resume(s step) outcome {
	j, ok := apistore.Find[*batchv1.Job](m.store, s.name)
	if !ok {
		return outcome{kind: missing}
	}
	after := j.DeepCopy()
	if j.Spec.Suspend != nil && *j.Spec.Suspend {
		running := false
		after.Spec.Suspend = &running
		after.Generation++
	}
	m.store.Set(s.fault.stored())
	r := m.ask("/admit", review{person: s.person, op: admissionv1.Update, resource: "jobs", object: after, old: j})
	m.store.Set(apistore.None)
	if s.fault == deaf {
		return outcome{kind: retry}
	}
	if r.Allowed {
		m.store.Drop(j)
		_ = m.store.Put(after) // it was removed a moment ago
	}
	return outcomeOf(r.Allowed, r.Result)
}

func (m *memory) require(s step) outcome {
	after := m.env.DeepCopy()
	n := int32(s.number)
	if *after.Spec.ChangeControl.RequiredApprovals != n {
		after.Spec.ChangeControl.RequiredApprovals = &n
		after.Generation++
	}
	gvk := v1alpha1.GVK(v1alpha1.KindEnvironment)
	r := m.ask("/admit", review{person: s.person, op: admissionv1.Update, resource: "environments", object: kind(after, gvk), old: kind(m.env.DeepCopy(), gvk)})
	if r.Allowed {
		m.env = after
		m.compile()
	}
	return outcomeOf(r.Allowed, r.Result)
}

// burst creates Jobs through all replicas at once.
func (m *memory) burst(s step) outcome {
	m.bursts++
	return atOnce(s.number, func(i int) outcome {
		return m.create(s.person, "jobs", jobOf(fmt.Sprintf("n-%d-%d", m.bursts, i), s.plan, false), false, none)
	})
}

// atOnce creates n objects at once. It retries if it is told to, as clients do.
func atOnce(n int, create func(int) outcome) outcome {
	var mu sync.Mutex
	var wg sync.WaitGroup
	out := outcome{kind: admitted}
	for i := range n {
		wg.Go(func() {
			got := create(i)
			for got.kind == retry {
				got = create(i)
			}
			mu.Lock()
			defer mu.Unlock()
			if got.kind == admitted {
				out.uids = append(out.uids, got.uid)
			}
		})
	}
	wg.Wait()
	return out
}

// executions returns the records of all executions.
func (m *memory) executions() []v1alpha1.ChangeExecution {
	return apistore.All[v1alpha1.ChangeExecution](m.store, stage.Namespace)
}
