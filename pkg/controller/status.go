package controller

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// Statuses writes the statuses of Firebreak's kinds, for people. Nothing is decided on them. It works through all
// objects every few seconds and writes what differs: phases change with the clock as well as with objects.
type Statuses struct {
	memory *Memory
	client client.Client
	log    logr.Logger
	every  time.Duration
	// waiting is what of the declared estate is not in force; nil: nothing is declared.
	waiting *Waiting
	// unreviewed counts emergencies that nobody else has looked at.
	unreviewed *prometheus.GaugeVec
	counted    map[[2]string]bool
}

// NewStatuses returns the writer of the leading replica, and registers what it counts. c reads from caches; waiting is
// nil where nothing is declared.
func NewStatuses(m *Memory, c client.Client, waiting *Waiting, r prometheus.Registerer, log logr.Logger) *Statuses {
	s := &Statuses{memory: m, client: c, log: log, waiting: waiting, every: 2 * time.Second, unreviewed: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "firebreak", Name: "emergencies_unreviewed",
		Help: "Emergency windows that nobody but their requester has looked at, those that were used and deleted included, by environment and whether it is its requester's second. The leading replica reports it.",
	}, []string{"environment", "second"})}
	r.MustRegister(s.unreviewed)
	return s
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: one replica writes.
func (s *Statuses) NeedLeaderElection() bool { return true }

// Start runs until the context ends.
func (s *Statuses) Start(ctx context.Context) error {
	t := time.NewTicker(s.every)
	defer t.Stop()
	for {
		if e := s.memory.Estate(); e != nil {
			if err := s.pass(ctx, e); err != nil && ctx.Err() == nil {
				s.log.Error(err, "could not write statuses")
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

func (s *Statuses) pass(ctx context.Context, e *estate.Estate) error {
	past := s.pastReplicas(e)
	for _, env := range s.memory.view.Environments.Values() {
		if err := s.environment(ctx, e, &env, past[env.Name]); err != nil {
			return err
		}
	}
	for _, d := range s.memory.view.Stores.Values() {
		if err := s.store(ctx, e, &d); err != nil {
			return err
		}
	}
	for _, x := range s.memory.view.Exemptions.Values() {
		if err := s.exemption(ctx, &x); err != nil {
			return err
		}
	}
	if err := s.freezes(ctx); err != nil {
		return err
	}
	return s.windows(ctx, e)
}

// write patches the status if it differs. An object that is gone needs none.
func (s *Statuses) write(ctx context.Context, before, after client.Object) error {
	if equality.Semantic.DeepEqual(before, after) {
		return nil
	}
	if err := s.client.Status().Patch(ctx, after, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("status of %T %s: %w", after, client.ObjectKeyFromObject(after), err)
	}
	return nil
}

func condition(list *[]metav1.Condition, kind string, holds bool, reason, message string, generation int64) {
	status := metav1.ConditionFalse
	if holds {
		status = metav1.ConditionTrue
	}
	meta.SetStatusCondition(list, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: generation,
	})
}

// readiness sets Ready and Conflict from what the estate found out when it was compiled.
func readiness(e *estate.Estate, kind, name, clash string, list *[]metav1.Condition, generation int64) {
	ready, reason, message := true, "Compiled", "the whole spec is in force"
	for _, p := range e.Problems() {
		if p.Kind == kind && p.Name == name {
			ready, reason, message = false, "Malformed", p.Path+": "+p.Message
		}
	}
	condition(list, "Ready", ready, reason, message, generation)
	why := e.Conflict(kind, name)
	if why == "" {
		clash = "NoOverlap"
	}
	condition(list, "Conflict", why != "", clash, cmp.Or(why, "nothing else claims the same"), generation)
}

// pastReplicas returns, by Production environment, what its workloads asked for within the last hour and ask for no more.
func (s *Statuses) pastReplicas(e *estate.Estate) map[string][]v1alpha1.ReplicaPeak {
	out := map[string][]v1alpha1.ReplicaPeak{}
	for namespace, past := range s.memory.view.Peaks.Past(s.memory.clock()) {
		if m, ok := e.Namespace(namespace); ok {
			for _, env := range m.Production() {
				out[env.Name] = append(out[env.Name], past...)
			}
		}
	}
	return out
}

func (s *Statuses) environment(ctx context.Context, e *estate.Estate, env *v1alpha1.Environment, past []v1alpha1.ReplicaPeak) error {
	before := env.DeepCopy()
	st := &env.Status
	st.ObservedGeneration = env.Generation
	st.Namespaces, st.DataStores = e.CountNamespaces(env.Name), e.CountStores(env.Name)
	st.RecentReplicas = view.Recorded(past)
	readiness(e, v1alpha1.KindEnvironment, env.Name, "NamespaceClaimedTwice", &st.Conditions, env.Generation)
	s.waiting.condition(v1alpha1.KindEnvironment, env.Name, &st.Conditions, env.Generation)
	return s.write(ctx, before, env)
}

func (s *Statuses) store(ctx context.Context, e *estate.Estate, d *v1alpha1.DataStore) error {
	before := d.DeepCopy()
	st := &d.Status
	st.ObservedGeneration = d.Generation
	readiness(e, v1alpha1.KindDataStore, d.Name, "HostClaimedTwice", &st.Conditions, d.Generation)
	s.waiting.condition(v1alpha1.KindDataStore, d.Name, &st.Conditions, d.Generation)
	st.Tier = ""
	if env, ok := e.Environment(d.Spec.Environment); ok {
		st.Tier = env.Tier
	} else {
		condition(&st.Conditions, "Ready", false, "EnvironmentNotFound",
			fmt.Sprintf("environment %q does not exist; the data store counts as Production for non-production subjects", d.Spec.Environment), d.Generation)
	}
	return s.write(ctx, before, d)
}

func (s *Statuses) exemption(ctx context.Context, x *v1alpha1.Exemption) error {
	before := x.DeepCopy()
	x.Status.ObservedGeneration = x.Generation
	counts, reason := s.memory.clock().Before(x.Spec.ExpiresAt.Time), "Counts"
	if !counts {
		reason = "Expired"
	}
	condition(&x.Status.Conditions, "Active", counts, reason, "until "+change.Instant(x.Spec.ExpiresAt.Time), x.Generation)
	return s.write(ctx, before, x)
}

func (s *Statuses) freezes(ctx context.Context) error {
	var all v1alpha1.ChangeFreezeList
	if err := s.client.List(ctx, &all); err != nil {
		return fmt.Errorf("list freezes: %w", err)
	}
	now := s.memory.clock()
	for i := range all.Items {
		f := &all.Items[i]
		before := f.DeepCopy()
		f.Status.ObservedGeneration = f.Generation
		start, _ := change.FreezeInterval(f, now)
		holds, reason := change.Holds(f, now), "Holds"
		switch {
		case !holds && now.Before(start):
			reason = "NotYet"
		case !holds:
			reason = "Over"
		}
		condition(&f.Status.Conditions, "Active", holds, reason, change.DescribeFreeze(f, now), f.Generation)
		if err := s.write(ctx, before, f); err != nil {
			return err
		}
	}
	return nil
}

func (s *Statuses) windows(ctx context.Context, e *estate.Estate) error {
	var windows v1alpha1.ChangeWindowList
	var approvals v1alpha1.ChangeApprovalList
	if err := s.client.List(ctx, &windows); err != nil {
		return fmt.Errorf("list change windows: %w", err)
	}
	if err := s.client.List(ctx, &approvals); err != nil {
		return fmt.Errorf("list approvals: %w", err)
	}
	used := map[string][]v1alpha1.ChangeExecution{}
	for _, x := range s.memory.view.Executions.All() {
		if x.Status.State != v1alpha1.ExecutionReleased {
			used[string(x.Spec.Window.UID)] = append(used[string(x.Spec.Window.UID)], x)
		}
	}
	s.count(windows.Items, approvals.Items)
	for i := range windows.Items {
		w := &windows.Items[i]
		before := w.DeepCopy()
		s.window(e, w, &change.State{Windows: windows.Items, Approvals: approvals.Items, Executions: used[string(w.UID)]})
		if err := s.write(ctx, before, w); err != nil {
			return err
		}
	}
	return nil
}

// count tells how many emergencies nobody else has looked at, all at once: a scrape must not see half of them.
func (s *Statuses) count(windows []v1alpha1.ChangeWindow, approvals []v1alpha1.ChangeApproval) {
	state := &change.State{Windows: windows, Approvals: approvals, Executions: s.memory.view.Executions.Values()}
	type which struct{ environment, second string }
	counts := map[which]float64{}
	for _, e := range s.memory.Estate().Production() {
		counts[which{e.Name, "false"}], counts[which{e.Name, "true"}] = 0, 0
	}
	for i := range windows {
		if w := &windows[i]; w.Spec.Type == v1alpha1.WindowEmergency && change.ReviewedBy(w, approvals) == "" {
			counts[which{w.Spec.Environment, strconv.FormatBool(change.SecondUnreviewed(w, state))}]++
		}
	}
	for _, gone := range change.GoneUnreviewed(state) {
		counts[which{gone.Environment, "false"}]++
	}
	for known := range s.counted {
		if _, still := counts[which{known[0], known[1]}]; !still {
			s.unreviewed.DeleteLabelValues(known[0], known[1])
		}
	}
	s.counted = map[[2]string]bool{}
	for w, n := range counts {
		s.unreviewed.WithLabelValues(w.environment, w.second).Set(n)
		s.counted[[2]string{w.environment, w.second}] = true
	}
}

func (s *Statuses) window(e *estate.Estate, w *v1alpha1.ChangeWindow, state *change.State) {
	var envs []*estate.Environment
	if env, ok := e.Environment(w.Spec.Environment); ok {
		envs = append(envs, env)
	}
	sum := change.Summarise(w, change.Query{
		At: s.memory.clock(), Cluster: e.Cluster, FirebreakNamespace: e.FirebreakNamespace, Controls: estate.StrictestControls(envs), Unfit: policy.Unfit(e),
	}, state)
	st := &w.Status
	st.ObservedGeneration, st.Digest, st.Phase = w.Generation, change.WindowDigest(&w.Spec), sum.Phase
	st.Approvals = fmt.Sprintf("%d/%d", len(sum.Approvals.Names), sum.Approvals.Required)
	st.OpensAt, st.ClosesAt = instantOf(sum.Opens), instantOf(sum.Closes)
	st.Executions = v1alpha1.ExecutionSummary{Count: int32(len(state.Executions)), Last: latest(state.Executions)}
	condition(&st.Conditions, "Ready", sum.Phase == v1alpha1.WindowOpen, sum.Reason, sum.Message, w.Generation)
	approved, reason := sum.Approvals.Enough(), "Approved"
	switch {
	case sum.Approvals.RejectedBy != "":
		reason = "Rejected"
	case !approved:
		reason = "ApprovalsMissing"
	}
	condition(&st.Conditions, "Approved", approved, reason, sum.ApprovalMessage(), w.Generation)
	review(w, state)
}

// review tells whether somebody else has looked at an emergency.
func review(w *v1alpha1.ChangeWindow, state *change.State) {
	if w.Spec.Type != v1alpha1.WindowEmergency {
		return
	}
	by, second := change.ReviewedBy(w, state.Approvals), change.SecondUnreviewed(w, state)
	reason, message := "Unreviewed", "somebody other than who opened it approves or rejects it afterwards"
	if second {
		message += "; it is the second that its requester has opened, and lasts half as long"
	}
	if by != "" {
		reason, message = "Reviewed", "by "+by
	}
	condition(&w.Status.Conditions, "Reviewed", by != "", reason, message, w.Generation)
}

func instantOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t}
}

func latest(used []v1alpha1.ChangeExecution) []string {
	slices.SortFunc(used, func(a, b v1alpha1.ChangeExecution) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	var out []string
	for i := range min(len(used), 10) {
		out = append(out, used[i].Name)
	}
	return out
}
