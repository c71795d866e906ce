package controller

import (
	"cmp"
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// readiness sets the condition Ready from the problems that the compilation of the estate has found.
func readiness(e *estate.Estate, kind, name string, list *[]metav1.Condition, generation int64) {
	ready, reason, message := true, "Compiled", cmp.Or(e.Note(kind, name), "the whole spec is in force")
	for _, p := range e.Problems() {
		if p.Kind == kind && p.Name == name {
			ready, reason, message = false, "Malformed", p.Path+": "+p.Message
		}
	}
	condition(list, "Ready", ready, reason, message, generation)
}

// conflict sets the condition Conflict: whether another object claims the same. clash is the reason if one does.
func conflict(e *estate.Estate, kind, name, clash string, list *[]metav1.Condition, generation int64) {
	why := e.Conflict(kind, name)
	if why == "" {
		clash = "NoOverlap"
	}
	condition(list, "Conflict", why != "", clash, cmp.Or(why, "nothing else claims the same"), generation)
}

// pastReplicas returns the replicas that workloads of a Production environment asked for within the last hour and no longer
// ask for.
func (s *Statuses) pastReplicas(e *estate.Estate, environment string) []v1alpha1.ReplicaPeak {
	var out []v1alpha1.ReplicaPeak
	for namespace, past := range s.memory.view.Peaks.Past(s.memory.clock()) {
		m, ok := e.Namespace(namespace)
		if !ok {
			continue
		}
		for _, env := range m.Production() {
			if env.Name == environment {
				out = append(out, past...)
			}
		}
	}
	return out
}

func (s *Statuses) environment(ctx context.Context, key client.ObjectKey) (time.Duration, error) {
	env, ok := s.memory.view.Environments.Get(key.Name)
	e := s.memory.Estate()
	if !ok || e == nil || s.memory.Behind() {
		return 0, nil // it is gone, or the next estate causes it to be looked at
	}
	before := env // the stored object is shared, and of it only the status changes
	env.Status = *before.Status.DeepCopy()
	st := &env.Status
	st.ObservedGeneration = env.Generation
	st.Namespaces, st.DataStores = e.CountNamespaces(env.Name), e.CountStores(env.Name)
	st.RecentReplicas = view.Recorded(s.pastReplicas(e, env.Name))
	readiness(e, v1alpha1.KindEnvironment, env.Name, &st.Conditions, env.Generation)
	conflict(e, v1alpha1.KindEnvironment, env.Name, "NamespaceClaimedTwice", &st.Conditions, env.Generation)
	s.waiting.condition(v1alpha1.KindEnvironment, env.Name, &st.Conditions, env.Generation)
	s.firewall.condition(e, &env, &st.Conditions)
	return recount, s.write(ctx, &before, &env)
}

func (s *Statuses) store(ctx context.Context, key client.ObjectKey) (time.Duration, error) {
	d, ok := s.memory.view.Stores.Get(key.Name)
	e := s.memory.Estate()
	switch {
	case !ok:
		return 0, nil
	case e == nil || s.memory.Behind():
		return soon, nil // the next estate may be that of another data store, and would not cause this one to be looked at
	}
	before := d // the stored object is shared, and of it only the status changes
	d.Status = *before.Status.DeepCopy()
	st := &d.Status
	st.ObservedGeneration = d.Generation
	st.Tier = ""
	if env, known := e.Environment(d.Spec.Environment); known {
		st.Tier = env.Tier
		readiness(e, v1alpha1.KindDataStore, d.Name, &st.Conditions, d.Generation)
	} else {
		condition(&st.Conditions, "Ready", false, "EnvironmentNotFound",
			fmt.Sprintf("environment %q does not exist; the data store counts as Production for non-production subjects", d.Spec.Environment), d.Generation)
	}
	conflict(e, v1alpha1.KindDataStore, d.Name, "HostClaimedTwice", &st.Conditions, d.Generation)
	s.waiting.condition(v1alpha1.KindDataStore, d.Name, &st.Conditions, d.Generation)
	return 0, s.write(ctx, &before, &d)
}

// soon is when a data store is looked at again whose estate is being compiled.
const soon = time.Second

func (s *Statuses) exemption(ctx context.Context, key client.ObjectKey) (time.Duration, error) {
	x, ok := s.memory.view.Exemptions.Get(key.Name)
	if !ok {
		return 0, nil
	}
	now := s.memory.clock()
	before := x // the stored object is shared, and of it only the status changes
	x.Status = *before.Status.DeepCopy()
	x.Status.ObservedGeneration = x.Generation
	counts, reason := now.Before(x.Spec.ExpiresAt.Time), "Counts"
	if !counts {
		reason = "Expired"
	}
	condition(&x.Status.Conditions, "Active", counts, reason, "until "+change.Instant(x.Spec.ExpiresAt.Time), x.Generation)
	return until(now, longTime, x.Spec.ExpiresAt.Time), s.write(ctx, &before, &x)
}

// longTime is how often a status that changes at a single instant is looked at all the same, since clocks are set.
const longTime = time.Hour

func (s *Statuses) freeze(ctx context.Context, key client.ObjectKey) (time.Duration, error) {
	f, ok := s.memory.view.Freezes.Get(key.Name)
	if !ok {
		return 0, nil
	}
	now := s.memory.clock()
	before := f // the stored object is shared, and of it only the status changes
	f.Status = *before.Status.DeepCopy()
	f.Status.ObservedGeneration = f.Generation
	start, end := change.FreezeInterval(&f, now)
	holds, reason := change.Holds(&f, now), "Holds"
	switch {
	case !change.Readable(&f):
		reason = "Malformed" // it holds: the stricter reading
	case !holds && now.Before(start):
		reason = "NotYet"
	case !holds:
		reason = "Over"
	}
	condition(&f.Status.Conditions, "Active", holds, reason, change.DescribeFreeze(&f, now), f.Generation)
	return until(now, heartbeat, start, end), s.write(ctx, &before, &f)
}
