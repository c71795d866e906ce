package controller

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Restorer puts the admission configuration back that admission itself cannot guard: the webhook registrations and the
// static policies, as the chart has rendered them. Something must be amiss at two looks in a row, so that an upgrade that
// is under way is left alone; Firebreak's own Deployment must be there to stay, so that whoever uninstalls it, or scales it
// to nothing, is rid of it; and this replica must know the cluster: whoever has freed himself of a Firebreak that cannot
// judge stays free until it can.
type Restorer struct {
	client client.Client
	memory *Memory
	// from is the ConfigMap with what was rendered, deployment Firebreak's own.
	from, deployment client.ObjectKey
	events           record.EventRecorder
	log              logr.Logger
	every            time.Duration
	restored         *prometheus.CounterVec

	// rendered is the text that wanted was read from, release the annotations that say to which release of Helm's it belongs.
	rendered string
	release  map[string]string
	wanted   []registration
	// amiss at the last look, by kind and name.
	amiss map[declaration]bool
}

// registration is an object as it was rendered, and what decides what it does, as the API server stores that.
type registration struct {
	*unstructured.Unstructured
	body map[string]any
}

// NewRestorer returns what runs on the leading replica. c must not read from a cache.
func NewRestorer(m *Memory, c client.Client, from, deployment client.ObjectKey, events record.EventRecorder, r prometheus.Registerer, log logr.Logger) *Restorer {
	s := &Restorer{
		client: c, memory: m, from: from, deployment: deployment, events: events, log: log, every: 4 * time.Second, amiss: map[declaration]bool{},
		restored: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "firebreak", Name: "registrations_restored_total",
			Help: "Webhook registrations and static policies that were put back because somebody had deleted or changed them, by kind and name. The leading replica reports it.",
		}, []string{"kind", "name"}),
	}
	r.MustRegister(s.restored)
	return s
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*Restorer) NeedLeaderElection() bool { return true }

// Start looks until the context ends.
func (s *Restorer) Start(ctx context.Context) error {
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

func (s *Restorer) once(ctx context.Context) error {
	if err := s.read(ctx); err != nil {
		return err
	}
	now := map[declaration]bool{}
	defer func() { s.amiss = now }()
	for _, want := range s.wanted {
		which := declaration{want.GetKind(), want.GetName()}
		stored, why, err := s.differs(ctx, want)
		switch {
		case err != nil:
			return err
		case why == "":
			continue
		case !s.amiss[which]:
			now[which] = true
			s.log.Info("the admission configuration is not what was installed", "kind", which.kind, "name", which.name, "why", why)
			continue
		}
		if stays, err := s.stays(ctx); err != nil || !stays {
			return err
		}
		if err := s.restore(ctx, want, stored); err != nil {
			return err
		}
		s.restored.WithLabelValues(which.kind, which.name).Inc()
		message := fmt.Sprintf("%s %q was put back: somebody %s. Set webhook.restore=false, or scale the Deployment to 0, if that is what you want.", which.kind, which.name, why)
		s.log.Info("put the admission configuration back", "kind", which.kind, "name", which.name, "why", why)
		s.events.Event(&corev1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: s.from.Namespace, Name: s.from.Name},
			corev1.EventTypeWarning, "RegistrationRestored", message)
	}
	return nil
}

// read reads what was rendered, if it has changed, and asks the API server what it would make of it: with its defaults
// filled in, under a name that is nobody's.
func (s *Restorer) read(ctx context.Context) error {
	var cm corev1.ConfigMap
	if err := s.client.Get(ctx, s.from, &cm); err != nil {
		s.rendered, s.wanted = "", nil // the release goes, or nothing is to be put back
		return client.IgnoreNotFound(err)
	}
	s.release = map[string]string{}
	for k, v := range cm.Annotations {
		if strings.HasPrefix(k, helmAnnotations) {
			s.release[k] = v
		}
	}
	text := cm.Data[RegistrationsKey]
	if text == s.rendered {
		return nil
	}
	objects, err := parseManifests(text)
	if err != nil {
		return fmt.Errorf("key %q of ConfigMap %q: %w", RegistrationsKey, cm.Name, err)
	}
	wanted := make([]registration, 0, len(objects))
	for _, o := range objects {
		sample := o.DeepCopy()
		sample.SetName(o.GetName() + "-as-stored")
		if err := s.client.Create(ctx, sample, client.DryRunAll); err != nil {
			return fmt.Errorf("try %s %q: %w", o.GetKind(), o.GetName(), err)
		}
		wanted = append(wanted, registration{o, body(sample)})
		s.restored.WithLabelValues(o.GetKind(), o.GetName()).Add(0) // so that the first time is an increase
	}
	s.rendered, s.wanted = text, wanted
	return nil
}

// differs says what has become of an object; empty: it is as it was installed. stored is nil where there is none.
func (s *Restorer) differs(ctx context.Context, want registration) (stored *unstructured.Unstructured, why string, err error) {
	stored = &unstructured.Unstructured{}
	stored.SetGroupVersionKind(want.GroupVersionKind())
	err = s.client.Get(ctx, client.ObjectKeyFromObject(want.Unstructured), stored)
	switch {
	case client.IgnoreNotFound(err) != nil:
		return nil, "", fmt.Errorf("read %s %q: %w", want.GetKind(), want.GetName(), err)
	case err != nil:
		return nil, "had deleted it", nil
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
func (s *Restorer) stays(ctx context.Context) (bool, error) {
	var d appsv1.Deployment
	if err := s.client.Get(ctx, s.deployment, &d); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return d.DeletionTimestamp == nil && (d.Spec.Replicas == nil || *d.Spec.Replicas > 0), nil
}

// installer is who owns the fields of what Helm applies. What is put back is made anew in its name: otherwise the next
// upgrade would find that somebody else owns what it means to change, and stop.
const installer = "helm"

// helmAnnotations begin what Helm adds to what it applies. It deletes nothing that lacks them.
const helmAnnotations = "meta.helm.sh/"

func (s *Restorer) restore(ctx context.Context, want registration, stored *unstructured.Unstructured) error {
	if stored != nil {
		uid := stored.GetUID()
		if err := s.client.Delete(ctx, stored, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("make %s %q anew: %w", want.GetKind(), want.GetName(), err)
		}
	}
	o := want.DeepCopy()
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	maps.Copy(annotations, s.release)
	o.SetAnnotations(annotations)
	if err := s.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.FieldOwner(installer)); err != nil {
		return fmt.Errorf("put %s %q back: %w", want.GetKind(), want.GetName(), err)
	}
	return nil
}
