package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// EstateApplier applies the environments and data stores that the chart's values declare, once this replica leads and knows
// the cluster. Helm itself cannot apply a kind in the release that brings its definition.
//
// Its writes pass the webhook like those of any requester. A change that weakens the boundary waits until a window permits
// it. Firebreak then reports it: as condition PendingApproval of an existing object, as an Event of the ConfigMap, and as a
// metric.
type EstateApplier struct {
	memory  *Cache
	client  client.Client
	states  States
	events  record.EventRecorder
	log     logr.Logger
	from    client.ObjectKey
	waiting *PendingDeclarations
	every   time.Duration
	// source is the ConfigMap, as the object that Events are about.
	source *corev1.ObjectReference

	// applied is what was applied last: nothing is done again while neither side has changed. waits is the same for declarations
	// that must wait: they are looked at again at growing intervals.
	applied map[declaration]version
	waits   map[declaration]wait
	// told is the last report on each declaration that waits, and its time.
	told map[declaration]said
	self *authenticationv1.UserInfo
}

// wait is when a waiting declaration is looked at again.
type wait struct {
	version
	until time.Time
	delay time.Duration
}

// longestWait is how late an approval is noticed at most.
const longestWait = 30 * time.Second

// declaration names one declared object.
type declaration struct{ kind, name string }

// version is a declaration that was applied, and the generation that resulted.
type version struct {
	digest     string
	generation int64
}

type said struct {
	message string
	at      time.Time
}

const (
	// declarer is the field manager of the fields that the values declare.
	declarer = "firebreak-estate"
	// again is after how long the report on a waiting declaration is repeated, since Events are forgotten after an hour.
	again = 30 * time.Minute
)

// NewEstateApplier returns the applier for the leading replica. c must not read from a cache; from names the ConfigMap.
func NewEstateApplier(m *Cache, c client.Client, states States, from client.ObjectKey, events record.EventRecorder, r prometheus.Registerer, log logr.Logger) *EstateApplier {
	return &EstateApplier{
		memory: m, client: c, states: states, events: events, log: log, from: from, every: 5 * time.Second,
		waiting: newPendingDeclarations(r), applied: map[declaration]version{}, waits: map[declaration]wait{}, told: map[declaration]said{},
	}
}

// Waiting returns the declarations and whether they are in force.
func (d *EstateApplier) Waiting() *PendingDeclarations { return d.waiting }

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*EstateApplier) NeedLeaderElection() bool { return true }

// Start applies until the context ends. The first time it does not wait, since Firebreak may just have been installed.
func (d *EstateApplier) Start(ctx context.Context) error {
	next := time.NewTimer(0)
	defer next.Stop()
	soon := d.every / 5
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
		}
		if _, err := d.memory.View(); err != nil {
			next.Reset(d.every / 20)
			continue
		}
		next.Reset(d.every)
		if err := d.once(ctx); err != nil && ctx.Err() == nil {
			d.log.Error(err, "could not apply the declared estate; it is tried again")
			next.Reset(soon)
			soon = min(2*soon, longestWait)
			continue
		}
		soon = d.every / 5
	}
}

// once compares the declared estate with the stored one. It returns an error for a call that may succeed later; the report on
// that declaration remains.
func (d *EstateApplier) once(ctx context.Context) error {
	var cm corev1.ConfigMap
	if err := d.client.Get(ctx, d.from, &cm); apierrors.IsNotFound(err) {
		d.waiting.incomplete(false)
		d.tell(nil) // nothing is declared, and nothing is deleted
		return nil
	} else if err != nil {
		return fmt.Errorf("read what is declared: %w", err)
	}
	d.source = &corev1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: cm.Namespace, Name: cm.Name, UID: cm.UID}
	objects, malformed := parseDeclared(&cm)
	if malformed != nil {
		held := d.waiting.all()
		held[declaration{"ConfigMap", cm.Name}] = obstacle{reason: reasonRefused, message: malformed.Error()}
		d.waiting.incomplete(true)
		d.tell(held) // a person must correct it, and a retry does not help
		return nil   //nolint:nilerr // it is told, and no call has failed
	}
	stored, err := d.stored(ctx)
	if err != nil {
		return err
	}
	p := pass{d: d, held: map[declaration]obstacle{}}
	for _, o := range objects {
		which := declaration{o.GetKind(), o.GetName()}
		before := stored[which]
		now := version{digestOf(o), generationOf(before)}
		p.look(which, now, func() (obstacle, error) { return d.apply(ctx, o, before, now) })
		delete(stored, which)
	}
	for _, kind := range []string{v1alpha1.KindDataStore, v1alpha1.KindEnvironment} { // data stores before the environments that they refer to
		for which, o := range stored {
			if which.kind == kind && declaredOnce(o) {
				p.look(which, version{generation: o.GetGeneration()}, func() (obstacle, error) { return d.remove(ctx, o) })
			}
		}
	}
	d.waiting.incomplete(len(p.failed) > 0)
	d.tell(p.held)
	return errors.Join(p.failed...)
}

// declaredOnce reports whether this server has applied an object. A label would prove nothing: anyone who may write the
// object may set it.
func declaredOnce(o *unstructured.Unstructured) bool {
	return slices.ContainsFunc(o.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool {
		return m.Manager == declarer && m.Operation == metav1.ManagedFieldsOperationApply
	})
}

func generationOf(o *unstructured.Unstructured) int64 {
	if o == nil {
		return 0
	}
	return o.GetGeneration()
}

// stored lists the environments and data stores in the cluster.
func (d *EstateApplier) stored(ctx context.Context) (map[declaration]*unstructured.Unstructured, error) {
	out := map[declaration]*unstructured.Unstructured{}
	for _, kind := range []string{v1alpha1.KindEnvironment, v1alpha1.KindDataStore} {
		var l unstructured.UnstructuredList
		l.SetGroupVersionKind(v1alpha1.GVK(kind + "List"))
		if err := d.client.List(ctx, &l); err != nil {
			return nil, fmt.Errorf("list %ss: %w", kind, err)
		}
		for i := range l.Items {
			out[declaration{kind, l.Items[i].GetName()}] = &l.Items[i]
		}
	}
	return out, nil
}

// apply applies one declaration, unless it is in force or must wait. before is nil if there is no such object.
func (d *EstateApplier) apply(ctx context.Context, o, before *unstructured.Unstructured, now version) (obstacle, error) {
	which := declaration{o.GetKind(), o.GetName()}
	if before != nil && d.applied[which] == now && declaredOnce(before) {
		return obstacle{}, nil
	}
	// A dry run comes first: what is judged is the object that results, with the fields of others. The server's own dry
	// runs are not sent to the webhook, where a refused one would look like an attack.
	after := o.DeepCopy()
	if err := d.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(after), client.FieldOwner(declarer), client.ForceOwnership, client.DryRunAll); err != nil {
		return refusal(err)
	}
	why, err := d.judge(ctx, before, after)
	if err != nil || why.message != "" {
		return why, err
	}
	if err := d.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.FieldOwner(declarer), client.ForceOwnership); err != nil {
		return refusal(err)
	}
	d.log.Info("applied what the values declare", "kind", which.kind, "name", which.name, "generation", o.GetGeneration())
	d.applied[which] = version{now.digest, o.GetGeneration()}
	return obstacle{}, nil
}

// remove deletes an object that was declared once and no longer is.
func (d *EstateApplier) remove(ctx context.Context, o *unstructured.Unstructured) (obstacle, error) {
	why, err := d.judge(ctx, o, nil)
	if err != nil || why.message != "" {
		return why, err
	}
	uid := o.GetUID()
	if err := d.client.Delete(ctx, o, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
		return refusal(err)
	}
	d.log.Info("deleted what the values declare no more", "kind", o.GetKind(), "name", o.GetName())
	delete(d.applied, declaration{o.GetKind(), o.GetName()})
	return obstacle{}, nil
}

// refusal tells a refusal of the API server from a failure to answer. Both are tried again, but only a refusal needs a person
// to correct something.
func refusal(err error) (obstacle, error) {
	var status apierrors.APIStatus
	if strings.Contains(err.Error(), unfit) {
		return obstacle{reason: reasonRefused, message: err.Error()}, nil
	}
	if !errors.As(err, &status) || apierrors.IsInternalError(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsTooManyRequests(err) ||
		apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) || apierrors.IsConflict(err) || apierrors.IsUnauthorized(err) {
		return obstacle{}, err
	}
	return obstacle{reason: reasonRefused, message: err.Error()}, nil
}

// unfit is the text of the internal error by which the API server says that an applied object does not fit its schema.
const unfit = "failed to create typed patch object"

// whoami asks the API server for the user that the webhook will see for this server.
func (d *EstateApplier) whoami(ctx context.Context) (authenticationv1.UserInfo, error) {
	if d.self == nil {
		review := &authenticationv1.SelfSubjectReview{ObjectMeta: metav1.ObjectMeta{}}
		if err := d.client.Create(ctx, review); err != nil {
			return authenticationv1.UserInfo{}, fmt.Errorf("ask who I am: %w", err)
		}
		d.self = &review.Status.UserInfo
	}
	return *d.self, nil
}
