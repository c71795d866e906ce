package model

import (
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/e2e/apistore"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
	"github.com/firebreak-dev/firebreak/pkg/policy"
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
		return m.create(s.person, "changefreezes", freezeOf(s, at), false, none)
	case agree:
		return m.agree(s)
	case lift:
		return deleted[*v1alpha1.ChangeFreeze](m, s, "changefreezes", s.name)
	case run:
		return m.create(s.person, "jobs", jobOf(s.name, s.plan, s.suspended), s.dry, s.fault)
	case remove:
		return deleted[*batchv1.Job](m, s, "jobs", s.name)
	case resume:
		return m.resume(s)
	case roll, label:
		return m.roll(s)
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
	return m.update(s, "jobs", after, j)
}

// roll changes the template of a Deployment, or a label of it.
func (m *memory) roll(s step) outcome {
	d, ok := apistore.Find[*appsv1.Deployment](m.store, s.name)
	if !ok {
		return outcome{kind: missing}
	}
	after := d.DeepCopy()
	if s.op == label {
		m.labels++
		after.Labels = map[string]string{"look": strconv.Itoa(m.labels)}
		return m.update(s, "deployments", after, d)
	}
	after.Spec.Template = deploymentOf(s.name, s.plan).Spec.Template
	if !reflect.DeepEqual(after.Spec, d.Spec) {
		after.Generation++
	}
	return m.update(s, "deployments", after, d)
}

// update judges and stores another state of an object.
func (m *memory) update(s step, resource string, after, before client.Object) outcome {
	m.store.Set(s.fault.stored())
	r := m.ask("/admit", review{person: s.person, op: admissionv1.Update, resource: resource, object: after, old: before, dry: s.dry})
	m.store.Set(apistore.None)
	if s.fault == deaf {
		return outcome{kind: retry}
	}
	if r.Allowed && !s.dry {
		m.store.Drop(before)
		_ = m.store.Put(after) // it was removed a moment ago
	}
	return outcomeOf(r.Allowed, r.Result)
}

// agree stores a word, and then lifts what may be lifted, as the leading replica does.
func (m *memory) agree(s step) outcome {
	f, ok := apistore.Find[*v1alpha1.ChangeFreeze](m.store, s.name)
	if !ok {
		return outcome{kind: missing}
	}
	a := agreement(f)
	out := m.create(s.person, "changeapprovals", a, false, none)
	out.uid = a.Name
	words := apistore.All[v1alpha1.ChangeApproval](m.store, stage.Namespace)
	if change.LiftedBy(f, &change.State{Approvals: words}, policy.ApproverCheck(m.cluster.Estate)) != nil {
		m.store.Drop(f)
	}
	return out
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

// freezes returns the names of the freezes that there are.
func (m *memory) freezes([]string) []string {
	var out []string
	for _, f := range apistore.All[v1alpha1.ChangeFreeze](m.store, "") {
		out = append(out, f.Name)
	}
	return out
}

// executions returns the records of all executions.
func (m *memory) executions() []v1alpha1.ChangeExecution {
	return apistore.All[v1alpha1.ChangeExecution](m.store, stage.Namespace)
}
