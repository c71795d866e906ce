package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// RegistrationRestorer puts the admission configuration back that admission itself cannot guard: the webhook registrations and the
// static policies, as the chart has rendered them. Something must be amiss at two looks in a row, so that an upgrade that
// is under way is left alone; Firebreak's own Deployment must be there to stay, so that whoever uninstalls it, or scales it
// to nothing, is rid of it; and this replica must know the cluster: whoever has freed himself of a Firebreak that cannot
// judge stays free until it can.
type RegistrationRestorer struct {
	client client.Client
	memory *Cache
	// from is the ConfigMap with what was rendered, deployment Firebreak's own.
	from, deployment client.ObjectKey
	events           record.EventRecorder
	log              logr.Logger
	every            time.Duration
	restored         *prometheus.CounterVec

	// rendered is the text that wanted was read from, installed what Helm or another installer says of itself on it.
	rendered string
	wanted   []registration
	installed
	uid types.UID
	// amiss at the last look, by kind and name; tried is how often each was put back of late.
	amiss map[declaration]bool
	tried map[declaration]attempts
}

// installed is who installed what was rendered: the owner of its fields, and the annotations by which Helm knows its own.
type installed struct {
	manager     string
	annotations map[string]string
}

// attempts to put one object back: each that did not last makes the next one later, so that Firebreak and somebody with as
// good a right do not fight each other for ever.
type attempts struct {
	n    int
	last time.Time
}

// patience before the next attempt.
func (a attempts) patience() time.Duration {
	const doublings = 5 // more would reach beyond the longest, and in the end beyond what a Duration holds
	if a.n < settledAfter {
		return 0
	}
	return min(time.Duration(1<<min(a.n-settledAfter, doublings))*30*time.Second, 10*time.Minute)
}

const (
	// settledAfter is how often in a row an object is put back at once.
	settledAfter = 5
	// mostUnguarded is how long at most something that is gone stays so.
	mostUnguarded = 30 * time.Second
	// forgotten is after how long without an attempt the earlier ones do not count any more.
	forgotten = 30 * time.Minute
)

// registration is an object as it was rendered, what decides what it does, as the API server stores that, and who owns which
// of its fields once it is installed.
type registration struct {
	*unstructured.Unstructured
	body   map[string]any
	fields []metav1.ManagedFieldsEntry
}

// NewRegistrationRestorer returns what runs on the leading replica. c must not read from a cache.
func NewRegistrationRestorer(m *Cache, c client.Client, from, deployment client.ObjectKey, events record.EventRecorder, r prometheus.Registerer, log logr.Logger) *RegistrationRestorer {
	s := &RegistrationRestorer{
		client: c, memory: m, from: from, deployment: deployment, events: events, log: log, every: 4 * time.Second,
		amiss: map[declaration]bool{}, tried: map[declaration]attempts{},
		restored: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "firebreak", Name: "registrations_restored_total",
			Help: "Webhook registrations and static policies that were put back because somebody had deleted or changed them, by kind and name. The leading replica reports it.",
		}, []string{"kind", "name"}),
	}
	r.MustRegister(s.restored)
	return s
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*RegistrationRestorer) NeedLeaderElection() bool { return true }

// Start looks until the context ends.
func (s *RegistrationRestorer) Start(ctx context.Context) error {
	t := time.NewTicker(s.every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if !s.memory.Synced() {
			continue
		}
		if err := s.once(ctx); err != nil && ctx.Err() == nil {
			s.log.Error(err, "could not look after the admission configuration; it is tried again")
		}
	}
}

// once looks at every object; what goes wrong with one keeps it from none of the others.
func (s *RegistrationRestorer) once(ctx context.Context) error {
	failed := []error{s.read(ctx)}
	now := map[declaration]bool{}
	for _, want := range s.wanted {
		which := declaration{want.GetKind(), want.GetName()}
		stored, why, err := s.differs(ctx, want)
		if err != nil || why == "" {
			failed = append(failed, err)
			continue
		}
		now[which] = true
		if !s.amiss[which] {
			s.log.Info("the admission configuration is not what was installed", "kind", which.kind, "name", which.name, "why", why)
			continue
		}
		failed = append(failed, s.attempt(ctx, want, stored, why))
	}
	s.amiss = now
	return errors.Join(failed...)
}

// attempt puts an object back, if Firebreak is to stay and it was not put back in vain too often.
func (s *RegistrationRestorer) attempt(ctx context.Context, want registration, stored *unstructured.Unstructured, why string) error {
	which, now := declaration{want.GetKind(), want.GetName()}, s.memory.clock()
	before := s.tried[which]
	if now.Sub(before.last) > forgotten {
		before = attempts{}
	}
	patience := before.patience()
	if stored == nil || empty(stored) {
		patience = min(patience, mostUnguarded) // nothing is judged meanwhile
	}
	if now.Sub(before.last) < patience {
		return nil
	}
	stays, err := s.stays(ctx)
	if err != nil {
		return err
	}
	if !stays {
		s.log.Info("the admission configuration is left as it is: Firebreak's own Deployment is gone, going, or scaled to 0", "kind", which.kind, "name", which.name)
		return nil
	}
	s.tried[which] = attempts{before.n + 1, now}
	if err := s.restore(ctx, want, stored); err != nil {
		return err
	}
	s.rendered = "" // tried anew, should the API server have learnt another default
	s.restored.WithLabelValues(which.kind, which.name).Inc()
	message := fmt.Sprintf("%s %q was put back: somebody %s. Set webhook.restore=false, or scale the Deployment to 0, if that is what you want.", which.kind, which.name, why)
	s.log.Info("put the admission configuration back", "kind", which.kind, "name", which.name, "why", why)
	s.events.Event(&corev1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: s.from.Namespace, Name: s.from.Name, UID: s.uid},
		corev1.EventTypeWarning, "RegistrationRestored", message)
	return nil
}

// empty: a configuration of webhooks that has none.
func empty(stored *unstructured.Unstructured) bool {
	webhooks, found, _ := unstructured.NestedSlice(stored.Object, "webhooks")
	return strings.HasSuffix(stored.GetKind(), "WebhookConfiguration") && (!found || len(webhooks) == 0)
}

// read reads what was rendered, if it has changed, and asks the API server what it would make of it: with its defaults
// filled in, under names that are nobody's. Without the ConfigMap what was read last stays: whoever means to switch
// Firebreak off would take that away first.
func (s *RegistrationRestorer) read(ctx context.Context) error {
	var cm corev1.ConfigMap
	if err := s.client.Get(ctx, s.from, &cm); err != nil {
		return client.IgnoreNotFound(err)
	}
	text := cm.Data[RegistrationsKey]
	if text == s.rendered {
		return nil
	}
	objects, err := parseRegistrations(text)
	if err != nil {
		return fmt.Errorf("key %q of ConfigMap %q: %w", RegistrationsKey, cm.Name, err)
	}
	by := installedBy(&cm)
	wanted := make([]registration, 0, len(objects))
	for _, o := range objects {
		sample := o.DeepCopy()
		sample.SetName(o.GetName() + sampleSuffix)
		if err := s.client.Get(ctx, client.ObjectKeyFromObject(sample), sample.DeepCopy()); !apierrors.IsNotFound(err) {
			// What was asked for would be mixed with what somebody has stored there.
			return errors.Join(err, fmt.Errorf("%s %q must not exist: nobody but an attacker stores it; delete it", o.GetKind(), sample.GetName()))
		}
		if err := s.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(sample), client.FieldOwner(by.manager), client.DryRunAll); err != nil {
			return fmt.Errorf("try %s %q: %w", o.GetKind(), o.GetName(), err)
		}
		wanted = append(wanted, registration{o, body(sample), sample.GetManagedFields()})
		s.restored.WithLabelValues(o.GetKind(), o.GetName()).Add(0) // so that the first time is an increase
	}
	s.rendered, s.wanted, s.installed, s.uid = text, wanted, by, cm.UID
	return nil
}

// sampleSuffix makes names under which nothing is ever stored.
const sampleSuffix = "-as-stored"

// installedBy reads off the ConfigMap who has installed it, and so what was rendered with it.
func installedBy(cm *corev1.ConfigMap) installed {
	out := installed{manager: "helm", annotations: map[string]string{}}
	for _, m := range cm.ManagedFields {
		if m.Operation == metav1.ManagedFieldsOperationApply {
			out.manager = m.Manager
		}
	}
	for k, v := range cm.Annotations {
		if strings.HasPrefix(k, helmAnnotations) {
			out.annotations[k] = v
		}
	}
	return out
}

// helmAnnotations begin what Helm adds to what it applies. It deletes nothing that lacks them.
const helmAnnotations = "meta.helm.sh/"

// differs says what has become of an object; empty: it is as it was installed. stored is nil where there is none.
func (s *RegistrationRestorer) differs(ctx context.Context, want registration) (stored *unstructured.Unstructured, why string, err error) {
	stored = &unstructured.Unstructured{}
	stored.SetGroupVersionKind(want.GroupVersionKind())
	err = s.client.Get(ctx, client.ObjectKeyFromObject(want.Unstructured), stored)
	switch {
	case apierrors.IsNotFound(err):
		return nil, "had deleted it", nil
	case err != nil:
		return nil, "", fmt.Errorf("read %s %q: %w", want.GetKind(), want.GetName(), err)
	}
	has := stored.GetAnnotations()
	for k, v := range want.GetAnnotations() {
		if has[k] != v {
			return stored, "had changed its annotation " + k, nil
		}
	}
	if !equality.Semantic.DeepEqual(want.body, body(stored)) {
		return stored, "had changed it", nil
	}
	return stored, "", nil
}

// stays: Firebreak is to go on running.
func (s *RegistrationRestorer) stays(ctx context.Context) (bool, error) {
	var d appsv1.Deployment
	if err := s.client.Get(ctx, s.deployment, &d); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return d.DeletionTimestamp == nil && (d.Spec.Replicas == nil || *d.Spec.Replicas > 0), nil
}

// restore makes an object what it was, in the name of who has installed it: otherwise the next upgrade would find that
// somebody else owns what it means to change, and stop.
func (s *RegistrationRestorer) restore(ctx context.Context, want registration, stored *unstructured.Unstructured) error {
	o := want.DeepCopy()
	o.SetAnnotations(joined(o.GetAnnotations(), s.annotations))
	if stored == nil {
		if err := s.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.FieldOwner(s.manager)); err != nil {
			return fmt.Errorf("put %s %q back: %w", want.GetKind(), want.GetName(), err)
		}
		return nil
	}
	// In its place, so that at no moment nothing is judged; then its fields are given back to their owner.
	whole := stored.DeepCopy()
	whole.SetAnnotations(joined(stored.GetAnnotations(), o.GetAnnotations()))
	whole.SetLabels(joined(stored.GetLabels(), o.GetLabels()))
	fill(whole, want.body)
	if err := s.client.Update(ctx, whole, client.FieldOwner(restoring)); err != nil {
		return fmt.Errorf("mend %s %q: %w", want.GetKind(), want.GetName(), err)
	}
	whole.SetManagedFields(want.fields)
	if err := s.client.Update(ctx, whole, client.FieldOwner(restoring)); err != nil {
		return fmt.Errorf("give the fields of %s %q back to %s: %w", want.GetKind(), want.GetName(), s.manager, err)
	}
	return nil
}

// restoring owns fields for a moment.
const restoring = "firebreak-restorer"

func joined(a, b map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}
