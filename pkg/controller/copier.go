package controller

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/snapshot"
)

// EstateCopier keeps a copy of what is declared in Firebreak's own namespace, so that a replica that starts knows it even if the kinds are no longer
// served. It runs in the leading replica.
type EstateCopier struct {
	memory *Cache
	client client.Client
	events record.EventRecorder
	log    logr.Logger

	// encoded is the estate that was encoded last, and digest what came of it; another estate may come of the same declarations. written is the
	// digest of what was written last.
	encoded         *estate.Estate
	digest, written string
	// told is how many declarations of each kind were held when that was last told.
	told map[string]int
}

// NewEstateCopier returns the copier. c must not read from a cache.
func NewEstateCopier(m *Cache, c client.Client, events record.EventRecorder, log logr.Logger) *EstateCopier {
	return &EstateCopier{memory: m, client: c, events: events, log: log, told: map[string]int{}}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*EstateCopier) NeedLeaderElection() bool { return true }

// Start copies until the context ends.
func (c *EstateCopier) Start(ctx context.Context) error {
	c.memory.onceSynced(ctx, recheck, c.once, func(err error) { c.log.Error(err, "could not copy what is declared") })
	return nil
}

// once writes the copy, unless what is stored is the copy of what is declared.
func (c *EstateCopier) once(ctx context.Context) error {
	c.tell()
	if est := c.memory.Estate(); est != c.encoded {
		v := c.memory.view
		text, err := snapshot.Encode(&snapshot.Snapshot{Environments: v.Environments.Values(), Stores: v.Stores.Values()})
		if err != nil {
			return err
		}
		c.encoded, c.digest = est, text.Digest()
		if c.digest != c.written {
			return c.write(ctx, text)
		}
	}
	index, err := c.index(ctx)
	if err != nil || c.digest == c.written && snapshot.Says(index, c.written) {
		return err
	}
	c.encoded, c.written = nil, "" // somebody has taken it away, or it was not written whole: it is made again
	return nil
}

func (c *EstateCopier) index(ctx context.Context) (*corev1.ConfigMap, error) {
	index := &corev1.ConfigMap{}
	if err := c.client.Get(ctx, client.ObjectKey{Namespace: c.memory.settings.Namespace, Name: snapshot.Index}, index); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read the index of the copy: %w", err)
	}
	return index, nil
}

func (c *EstateCopier) write(ctx context.Context, text *snapshot.Encoded) error {
	present, err := c.index(ctx)
	if err != nil {
		return err
	}
	if !snapshot.Says(present, text.Digest()) {
		owner, err := serverOwner(ctx, c.client)
		if err != nil {
			return err
		}
		shards, index := text.ConfigMaps(c.memory.settings.Namespace, present)
		for _, cm := range append(shards, index) {
			cm.OwnerReferences = []metav1.OwnerReference{owner}
			if err := applyConfigMap(ctx, c.client, cm, "firebreak-copier"); err != nil {
				return err
			}
		}
	}
	c.written = text.Digest()
	return nil
}

// applyConfigMap writes a ConfigMap, whatever was there. It applies, since the right to create cannot be limited to names.
func applyConfigMap(ctx context.Context, c client.Client, cm *corev1.ConfigMap, manager client.FieldOwner) error {
	cm.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(cm)
	if err != nil {
		return fmt.Errorf("encode %q: %w", cm.Name, err)
	}
	unstructured.RemoveNestedField(object, "metadata", "creationTimestamp")
	if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: object}), manager, client.ForceOwnership); err != nil {
		return fmt.Errorf("write %q: %w", cm.Name, err)
	}
	return nil
}

// tell has an Event say what is held, whenever that has grown.
func (c *EstateCopier) tell() {
	for _, kind := range declarationKinds() {
		n := c.memory.Held(kind)
		if n > c.told[kind] {
			index := &corev1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: c.memory.settings.Namespace, Name: snapshot.Index}
			c.events.Event(index, corev1.EventTypeWarning, "Degraded", clip(c.memory.declared.degraded(), maxEvent))
		}
		c.told[kind] = n
	}
}

func declarationKinds() []string { return []string{v1alpha1.KindEnvironment, v1alpha1.KindDataStore} }

// ageCollector measures what a replica knows at the time of each scrape.
type ageCollector struct {
	memory    *Cache
	age, held *prometheus.Desc
}

// RegisterAge registers the metrics that tell how old what a replica knows is, and what it holds to.
func RegisterAge(m *Cache, r prometheus.Registerer) {
	r.MustRegister(&ageCollector{
		memory: m,
		age: prometheus.NewDesc("firebreak_estate_age_seconds",
			"For how long the API server has told this replica nothing of the estate; beyond half a minute the replica refuses what it is asked.", nil, nil),
		held: prometheus.NewDesc("firebreak_estate_held", "Declarations that vanished from the API server though nobody deleted them, and to which this replica holds.", []string{"kind"}, nil),
	})
}

// Describe implements prometheus.Collector.
func (a *ageCollector) Describe(out chan<- *prometheus.Desc) { out <- a.age; out <- a.held }

// Collect implements prometheus.Collector.
func (a *ageCollector) Collect(out chan<- prometheus.Metric) {
	out <- prometheus.MustNewConstMetric(a.age, prometheus.GaugeValue, a.memory.Age().Seconds())
	for _, kind := range declarationKinds() {
		out <- prometheus.MustNewConstMetric(a.held, prometheus.GaugeValue, float64(a.memory.Held(kind)), kind)
	}
}
