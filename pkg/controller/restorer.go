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
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/registrations"
)

// RegistrationRestorer restores the admission configuration that admission itself cannot guard: the webhook registrations and
// the static policies, as the chart has rendered them. It restores an object under three conditions. The object is wrong at
// two checks in a row, so that an upgrade under way is left alone. Firebreak's own Deployment is there to stay, so that a
// person who uninstalls Firebreak, or scales it to nothing, is rid of it. This replica knows the cluster: a person who has
// freed themselves of a Firebreak that cannot judge stays free until it can.
type RegistrationRestorer struct {
	client client.Client
	memory *Cache
	// from is the ConfigMap with the rendered objects; deployment is Firebreak's own Deployment.
	from, deployment client.ObjectKey
	events           record.EventRecorder
	log              logr.Logger
	every            time.Duration
	restored         *prometheus.CounterVec

	// rendered is the version of the ConfigMap that wanted was read from; nil: it is to be read again. installed is what the ConfigMap says about its
	// installer.
	rendered *revision
	wanted   []*registration
	installed
	uid types.UID
	// amiss are the objects that were wrong at the last check, by kind and name; tried counts how often each was restored of
	// late.
	amiss map[declaration]bool
	tried map[declaration]attempts
}

// installed describes the installer of the rendered objects: the owner of their fields, and the annotations by which Helm
// knows its own objects.
type installed struct {
	manager     string
	annotations map[string]string
}

// attempts counts the attempts to restore one object. Each that did not last makes the next one later, so that Firebreak and
// a person with equal rights do not fight for ever.
type attempts struct {
	n    int
	last time.Time
}

// patience returns how long to wait before the next attempt.
func (a attempts) patience() time.Duration {
	const doublings = 5 // more would exceed the longest wait, and in the end a Duration
	if a.n < settledAfter {
		return 0
	}
	return min(time.Duration(1<<min(a.n-settledAfter, doublings))*30*time.Second, 10*time.Minute)
}

const (
	// settledAfter is how often in a row an object is restored at once.
	settledAfter = 5
	// mostUnguarded is how long an object that is gone stays so at most.
	mostUnguarded = 30 * time.Second
	// forgotten is the time without an attempt after which the earlier ones no longer count.
	forgotten = 30 * time.Minute
)

// registration is an object as it was rendered, with its body as the API server stores it, and the owners of its fields once
// it is installed.
type registration struct {
	*unstructured.Unstructured
	body   map[string]any
	fields []metav1.ManagedFieldsEntry
	// good is the version that was found to be as installed; nil: none was.
	good *revision
}

// revision is a stored version of an object.
type revision struct {
	uid             types.UID
	resourceVersion string
}

func revisionOf(o client.Object) *revision { return &revision{o.GetUID(), o.GetResourceVersion()} }

// revisionAt returns the version that is stored of an object. It reads the metadata alone: the objects themselves are large, and are looked at every few
// seconds.
func (s *RegistrationRestorer) revisionAt(ctx context.Context, key client.ObjectKey, gvk schema.GroupVersionKind) (*revision, error) {
	meta := &metav1.PartialObjectMetadata{}
	meta.SetGroupVersionKind(gvk)
	if err := s.client.Get(ctx, key, meta); err != nil {
		return nil, err
	}
	return revisionOf(meta), nil
}

// same reports whether two versions are known and one.
func same(a, b *revision) bool { return a != nil && b != nil && *a == *b }

// NewRegistrationRestorer returns the restorer for the leading replica. c must not read from a cache.
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

// Start checks until the context ends.
func (s *RegistrationRestorer) Start(ctx context.Context) error {
	s.memory.onceSynced(ctx, s.every, s.once, func(err error) {
		s.log.Error(err, "could not look after the admission configuration; it is tried again")
	})
	return nil
}

// once checks every object; a failure with one does not prevent the others.
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

// attempt restores an object, if Firebreak is to stay and earlier attempts do not make it wait.
func (s *RegistrationRestorer) attempt(ctx context.Context, want *registration, stored *unstructured.Unstructured, why string) error {
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
	s.rendered = nil // read again, in case the API server has a new default
	s.restored.WithLabelValues(which.kind, which.name).Inc()
	message := fmt.Sprintf("%s %q was put back: somebody %s. Set webhook.restore=false, or scale the Deployment to 0, if that is what you want.", which.kind, which.name, why)
	s.log.Info("put the admission configuration back", "kind", which.kind, "name", which.name, "why", why)
	s.events.Event(&corev1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: s.from.Namespace, Name: s.from.Name, UID: s.uid},
		corev1.EventTypeWarning, "RegistrationRestored", message)
	return nil
}

// empty reports whether an object is a webhook configuration without webhooks.
func empty(stored *unstructured.Unstructured) bool {
	webhooks, found, _ := unstructured.NestedSlice(stored.Object, "webhooks")
	return strings.HasSuffix(stored.GetKind(), "WebhookConfiguration") && (!found || len(webhooks) == 0)
}

// read reads the rendered objects, if they have changed, and asks the API server for their stored form with its defaults, by
// dry runs under names that nobody uses. If the ConfigMap is gone, the last read objects stay: a person who means to switch
// Firebreak off would delete it first.
func (s *RegistrationRestorer) read(ctx context.Context) error {
	stored, err := s.revisionAt(ctx, s.from, corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	if err != nil || same(stored, s.rendered) {
		return client.IgnoreNotFound(err)
	}
	var cm corev1.ConfigMap
	if err := s.client.Get(ctx, s.from, &cm); err != nil {
		return client.IgnoreNotFound(err)
	}
	objects, err := registrations.Parse(cm.Data[registrations.Key])
	if err != nil {
		return fmt.Errorf("key %q of ConfigMap %q: %w", registrations.Key, cm.Name, err)
	}
	by := installedBy(&cm)
	wanted := make([]*registration, 0, len(objects))
	for _, o := range objects {
		sample := o.DeepCopy()
		sample.SetName(o.GetName() + sampleSuffix)
		if err := s.client.Get(ctx, client.ObjectKeyFromObject(sample), sample.DeepCopy()); !apierrors.IsNotFound(err) {
			// The dry run would be mixed with an object that somebody has stored there.
			return errors.Join(err, fmt.Errorf("%s %q must not exist: nobody but an attacker stores it; delete it", o.GetKind(), sample.GetName()))
		}
		if err := s.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(sample), client.FieldOwner(by.manager), client.DryRunAll); err != nil {
			return fmt.Errorf("try %s %q: %w", o.GetKind(), o.GetName(), err)
		}
		wanted = append(wanted, &registration{Unstructured: o, body: body(sample), fields: sample.GetManagedFields()})
		s.restored.WithLabelValues(o.GetKind(), o.GetName()).Add(0) // so that the first restoration is an increase
	}
	s.rendered, s.wanted, s.installed, s.uid = revisionOf(&cm), wanted, by, cm.UID
	return nil
}

// sampleSuffix makes names under which nothing is ever stored.
const sampleSuffix = "-as-stored"

// installedBy returns the installer of the ConfigMap, who also installed the rendered objects.
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

// helmAnnotations is the prefix of the annotations that Helm adds to its objects. Helm deletes nothing that lacks them.
const helmAnnotations = "meta.helm.sh/"

// differs returns how an object differs from the installed one; why is empty if it does not. stored is nil if there is no
// such object.
func (s *RegistrationRestorer) differs(ctx context.Context, want *registration) (stored *unstructured.Unstructured, why string, err error) {
	key := client.ObjectKeyFromObject(want.Unstructured)
	now, err := s.revisionAt(ctx, key, want.GroupVersionKind())
	if err == nil && same(now, want.good) {
		return nil, "", nil
	}
	stored = &unstructured.Unstructured{}
	stored.SetGroupVersionKind(want.GroupVersionKind())
	if err == nil {
		err = s.client.Get(ctx, key, stored)
	}
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
	want.good = revisionOf(stored)
	return stored, "", nil
}

// stays reports whether Firebreak is to go on running.
func (s *RegistrationRestorer) stays(ctx context.Context) (bool, error) {
	var d appsv1.Deployment
	if err := s.client.Get(ctx, s.deployment, &d); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return d.DeletionTimestamp == nil && (d.Spec.Replicas == nil || *d.Spec.Replicas > 0), nil
}

// restore restores an object in the name of its installer. Otherwise the next upgrade would find that another manager owns
// the fields that it changes, and stop.
func (s *RegistrationRestorer) restore(ctx context.Context, want *registration, stored *unstructured.Unstructured) error {
	o := want.DeepCopy()
	o.SetAnnotations(joined(o.GetAnnotations(), s.annotations))
	if stored == nil {
		if err := s.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.FieldOwner(s.manager)); err != nil {
			return fmt.Errorf("put %s %q back: %w", want.GetKind(), want.GetName(), err)
		}
		return nil
	}
	// Updated in place, so that at no moment nothing is judged; then the fields are given back to their owner.
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

// restoring is the field manager that owns the fields for a moment.
const restoring = "firebreak-restorer"

func joined(a, b map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}
