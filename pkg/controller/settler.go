package controller

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/go-logr/logr"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/view"
	"github.com/firebreak-dev/firebreak/pkg/workload"
)

// ReservationSettler settles pending reservations. A reservation whose object was seen is used, for good. It is given back if
// its object cannot have existed: an unbroken watch, from before the reservation until two minutes after it, showed no such
// UID, and neither did a live read at the end. If that cannot be told, it stays used.
type ReservationSettler struct {
	memory *Cache
	client client.Client
	live   client.Reader
	log    logr.Logger
	watch  map[schema.GroupKind]*objectWatch
	// patience is how long a pending reservation is watched before it may be given back.
	patience time.Duration
	// looked is when it was last looked for the end of a run.
	looked map[types.UID]time.Time
	made   madeObjects
}

// patience is the patience of a settler: mutating requests time out after a minute at the latest, so an object that does not
// exist two minutes after its reservation never will.
const patience = 2 * time.Minute

// NewReservationSettler returns the settler of the leading replica.
func NewReservationSettler(m *Cache, c client.WithWatch, log logr.Logger) *ReservationSettler {
	s := &ReservationSettler{memory: m, client: c, live: c, log: log, watch: map[schema.GroupKind]*objectWatch{}, patience: patience, looked: map[types.UID]time.Time{}, made: madeObjects{names: map[types.UID][]string{}}}
	for _, k := range workload.Kinds() {
		s.watch[k.GroupKind] = newObjectWatch(c, k.GroupVersionKind(), func(ctx context.Context, o client.Object) { s.observe(ctx, k.Kind, o) }, log)
	}
	return s
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: one replica settles.
func (s *ReservationSettler) NeedLeaderElection() bool { return true }

// Start runs until the context ends.
func (s *ReservationSettler) Start(ctx context.Context) error {
	for _, w := range s.watch {
		go w.run(ctx)
	}
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			s.sweep(ctx)
		}
	}
}

func (s *ReservationSettler) sweep(ctx context.Context) {
	now := s.memory.clock()
	all := s.memory.view.Executions.All()
	for _, x := range repeats(all) {
		if err := s.client.Delete(ctx, x, client.Preconditions{UID: &x.UID}); client.IgnoreNotFound(err) != nil && ctx.Err() == nil {
			s.log.Error(err, "could not clear a repeated reservation", "execution", x.Name)
		}
		delete(all, view.Key(x))
	}
	for _, x := range all {
		var err error
		switch {
		case pending(&x) && x.Released():
			err = s.released(ctx, x.DeepCopy()) // an earlier release stopped half-way
		case pending(&x):
			err = s.settle(ctx, &x, now)
		case s.mayHaveEnded(&x, now):
			err = s.lookForEnd(ctx, &x, now)
		case now.Sub(x.CreationTimestamp.Time) > s.retention(&x):
			s.made.forget(x.UID)
			err = client.IgnoreNotFound(s.client.Delete(ctx, x.DeepCopy(), client.Preconditions{UID: &x.UID}))
		}
		if err != nil && ctx.Err() == nil {
			s.log.Error(err, "could not settle an execution", "execution", x.Name)
		}
	}
}

// repeats returns the executions whose key also holds a lower slot of the same occurrence: the API server has sent one
// request twice at the same time, to two replicas. That is one execution, and its record is the lower one.
func repeats(all map[string]v1alpha1.ChangeExecution) []*v1alpha1.ChangeExecution {
	type use struct {
		window     types.UID
		occurrence int64
		key        string
	}
	lowest := map[use]*v1alpha1.ChangeExecution{}
	var out []*v1alpha1.ChangeExecution
	for _, x := range all {
		if x.Released() {
			continue
		}
		u := use{x.Spec.Window.UID, x.Spec.Occurrence, x.Spec.Key}
		switch low := lowest[u]; {
		case low == nil:
			lowest[u] = x.DeepCopy()
		case change.LowerSlot(x.Spec.Slot, low.Spec.Slot):
			out, lowest[u] = append(out, low), x.DeepCopy()
		default:
			out = append(out, x.DeepCopy())
		}
	}
	return out
}

// retention returns the retention of the environment of the execution's namespace, the longest if there are several. If the
// environment is no longer known, it returns the longest of any Production environment.
func (s *ReservationSettler) retention(x *v1alpha1.ChangeExecution) time.Duration {
	e := s.memory.Estate()
	if e == nil {
		return forever
	}
	envs := e.Production()
	if m, known := e.Namespace(x.Spec.Object.Namespace); known && len(m.Production()) > 0 {
		envs = m.Production()
	}
	return longestRetention(envs)
}

// longestRetention returns the longest time for which one of the environments keeps its records.
func longestRetention(envs []*estate.Environment) time.Duration {
	var longest time.Duration
	for _, env := range envs {
		longest = max(longest, env.Controls.ExecutionRetention)
	}
	if longest == 0 {
		longest = v1alpha1.DefaultExecutionRetention
	}
	return longest
}

// forever is the retention while no estate is known: the server then deletes nothing.
const forever = time.Duration(math.MaxInt64)

func pending(x *v1alpha1.ChangeExecution) bool {
	return x.Status.State == "" || x.Status.State == v1alpha1.ExecutionPending
}

func (s *ReservationSettler) settle(ctx context.Context, x *v1alpha1.ChangeExecution, now time.Time) error {
	if x.Spec.Operation != v1alpha1.OperationCreate {
		// Updates and deletions leave no UID behind to look for, so their executions are never given back.
		return s.use(ctx, x, "admitted")
	}
	w := s.watch[schema.GroupKind{Group: x.Spec.Object.Group, Kind: x.Spec.Object.Kind}]
	if w == nil {
		return s.use(ctx, x, "admitted; objects of this kind are not watched")
	}
	if w.saw(x.Spec.Object.UID) {
		return s.use(ctx, x, "")
	}
	since, unbroken := w.unbroken()
	// The timestamp has whole seconds and may have been cut, so the watch must have begun before that second.
	if !unbroken || since.After(x.CreationTimestamp.Time) {
		if now.Sub(x.CreationTimestamp.Time) < s.patience {
			return nil
		}
		return s.use(ctx, x, "not seen, but the watch was interrupted, so it may have existed")
	}
	if now.Sub(x.CreationTimestamp.Time) < s.patience {
		return nil
	}
	return s.lastLook(ctx, x)
}

func (s *ReservationSettler) lastLook(ctx context.Context, x *v1alpha1.ChangeExecution) error {
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(schema.GroupVersionKind{Group: x.Spec.Object.Group, Version: x.Spec.Object.Version, Kind: x.Spec.Object.Kind})
	err := s.live.Get(ctx, client.ObjectKey{Namespace: x.Spec.Object.Namespace, Name: x.Spec.Object.Name}, o)
	switch {
	case err == nil && o.UID == x.Spec.Object.UID:
		return s.use(ctx, x, "")
	case err != nil && !apierrors.IsNotFound(err):
		return fmt.Errorf("look for %s %s/%s: %w", x.Spec.Object.Kind, x.Spec.Object.Namespace, x.Spec.Object.Name, err)
	}
	return s.giveBack(ctx, x)
}

// use marks an execution used.
func (s *ReservationSettler) use(ctx context.Context, x *v1alpha1.ChangeExecution, result string) error {
	return markUsed(ctx, s.client, x, result, s.memory.clock())
}

func markUsed(ctx context.Context, c client.Client, x *v1alpha1.ChangeExecution, result string, now time.Time) error {
	before := x.DeepCopy()
	x = x.DeepCopy()
	x.Status.State = v1alpha1.ExecutionUsed
	x.Status.Result = result
	at := metav1.NewTime(now)
	x.Status.StartedAt = &at
	if err := c.Status().Patch(ctx, x, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("mark execution %s used: %w", x.Name, err)
	}
	return nil
}

// giveBack frees a slot. The record stays, under another name that leaves the slot's free. It is written first, so that
// nothing is lost if this stops half-way.
func (s *ReservationSettler) giveBack(ctx context.Context, x *v1alpha1.ChangeExecution) error {
	record := &v1alpha1.ChangeExecution{
		ObjectMeta: metav1.ObjectMeta{
			Name: x.Name + "-" + string(x.UID)[:8], Namespace: x.Namespace,
			Labels: map[string]string{v1alpha1.LabelExecutionState: string(v1alpha1.ExecutionReleased), v1alpha1.LabelWindowUID: cmp.Or(x.Labels[v1alpha1.LabelWindowUID], string(x.Spec.Window.UID))},
		},
		Spec: x.Spec,
	}
	if err := s.client.Create(ctx, record); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("record that execution %s was given back: %w", x.Name, err)
	}
	if err := s.released(ctx, record); err != nil {
		return err
	}
	if err := s.client.Delete(ctx, x.DeepCopy(), client.Preconditions{UID: &x.UID}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("give execution %s back: %w", x.Name, err)
	}
	s.log.Info("gave an execution back: its object never came to exist", "execution", x.Name,
		"kind", x.Spec.Object.Kind, "namespace", x.Spec.Object.Namespace, "name", x.Spec.Object.Name)
	return nil
}

// released writes the status of the record of a slot that was given back.
func (s *ReservationSettler) released(ctx context.Context, record *v1alpha1.ChangeExecution) error {
	patch := fmt.Sprintf(`{"status":{"state":%q,"result":"the object never came to exist"}}`, v1alpha1.ExecutionReleased)
	if err := s.client.Status().Patch(ctx, record, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		return fmt.Errorf("record that execution %s was given back: %w", record.Name, err)
	}
	return nil
}

// observe is called for every object of the watched kinds; it records how Jobs ended, and what was made of a custom resource.
func (s *ReservationSettler) observe(ctx context.Context, kind string, o client.Object) {
	s.noteMade(ctx, kind, o)
	job, ok := o.(*batchv1.Job)
	if !ok {
		return
	}
	for _, c := range job.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == "True" {
			s.finished(ctx, o.GetUID(), string(c.Type), c.LastTransitionTime)
		}
	}
}

func (s *ReservationSettler) finished(ctx context.Context, uid types.UID, result string, at metav1.Time) {
	for _, x := range s.memory.view.Executions.All() {
		if x.Spec.Object.UID != uid || x.Status.FinishedAt != nil {
			continue
		}
		before := x.DeepCopy()
		after := x.DeepCopy()
		after.Status.State, after.Status.Result, after.Status.FinishedAt = v1alpha1.ExecutionUsed, result, &at
		if err := s.client.Status().Patch(ctx, after, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
			s.log.Error(err, "could not record how an execution ended", "execution", x.Name)
		}
	}
}

// UseMarker marks executions as used if a review has shown that their object exists. It runs in every replica.
type UseMarker struct {
	memory *Cache
	client client.Client
	log    logr.Logger
}

// NewUseMarker returns the marker of a replica.
func NewUseMarker(m *Cache, c client.Client, log logr.Logger) *UseMarker {
	return &UseMarker{memory: m, client: c, log: log}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica marks what it sees.
func (k *UseMarker) NeedLeaderElection() bool { return false }

// Start runs until the context ends.
func (k *UseMarker) Start(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case uid := <-k.memory.seen:
			k.mark(ctx, uid)
		}
	}
}

func (k *UseMarker) mark(ctx context.Context, uid types.UID) {
	for _, x := range k.memory.view.Executions.All() {
		if x.Spec.Object.UID != uid || !pending(&x) || x.Spec.Operation != v1alpha1.OperationCreate {
			continue
		}
		if err := markUsed(ctx, k.client, &x, "", k.memory.clock()); err != nil && ctx.Err() == nil {
			k.log.Error(err, "could not mark an execution used", "execution", x.Name)
		}
	}
}
