package controller

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// RegistrationMonitor checks whether the API server still sends Firebreak the requests that it must judge. A person who may
// edit webhook configurations can switch Firebreak off, which admission cannot prevent. So the monitor reports it, within ten
// seconds.
type RegistrationMonitor struct {
	client client.Reader
	memory *Cache
	log    logr.Logger
	every  time.Duration

	webhooks *prometheus.GaugeVec
	ready    prometheus.Gauge
	mu       sync.Mutex
	missing  map[string]bool
}

// Missing returns the webhooks whose registration is gone, and false before the first check.
func (g *RegistrationMonitor) Missing() ([]string, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []string
	for _, name := range webhooks() {
		if g.missing[name] {
			out = append(out, name)
		}
	}
	return out, len(g.missing) > 0
}

// configuration is the name of both webhook configurations.
const configuration = "firebreak"

// webhooks returns the webhooks that must be registered.
func webhooks() []string {
	return []string{"stamp.firebreak.dev", "core.firebreak.dev", "broad.firebreak.dev"}
}

// NewRegistrationMonitor returns a monitor for every replica, and registers its metrics. c must not read from a cache.
func NewRegistrationMonitor(m *Cache, c client.Reader, r prometheus.Registerer, log logr.Logger) *RegistrationMonitor {
	g := &RegistrationMonitor{
		client: c, memory: m, log: log, every: 10 * time.Second, missing: map[string]bool{},
		webhooks: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "firebreak", Name: "webhook_registered", Help: "1 while the API server sends to a webhook of Firebreak's; 0: its registration is gone.",
		}, []string{"webhook"}),
		ready: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "firebreak", Name: "estate_ready", Help: "1 while a replica knows the estate; 0: it refuses what it is asked.",
		}),
	}
	r.MustRegister(g.webhooks, g.ready)
	return g
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*RegistrationMonitor) NeedLeaderElection() bool { return false }

// Start checks until the context ends.
func (g *RegistrationMonitor) Start(ctx context.Context) error {
	t := time.NewTicker(g.every)
	defer t.Stop()
	for {
		g.once(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

func (g *RegistrationMonitor) once(ctx context.Context) {
	g.ready.Set(0)
	if _, err := g.memory.View(); err == nil {
		g.ready.Set(1)
	}
	found, err := g.found(ctx)
	if err != nil {
		if ctx.Err() == nil {
			g.log.Error(err, "could not look for the webhook configurations")
		}
		return // a registration that cannot be read is not reported as gone
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, name := range webhooks() {
		value := 0.0
		if found[name] {
			value = 1
		}
		g.webhooks.WithLabelValues(name).Set(value)
		if !found[name] && !g.missing[name] {
			g.log.Info("the registration of a webhook is gone: what it would be asked about is not judged", "webhook", name)
		}
		g.missing[name] = !found[name]
	}
}

func (g *RegistrationMonitor) found(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	var v admissionregistrationv1.ValidatingWebhookConfiguration
	if err := g.client.Get(ctx, client.ObjectKey{Name: configuration}, &v); client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	for _, w := range v.Webhooks {
		out[w.Name] = len(w.Rules) > 0
	}
	var m admissionregistrationv1.MutatingWebhookConfiguration
	if err := g.client.Get(ctx, client.ObjectKey{Name: configuration}, &m); client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	for _, w := range m.Webhooks {
		out[w.Name] = len(w.Rules) > 0
	}
	return out, nil
}
