package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/firebreak-dev/firebreak/pkg/admission"
	"github.com/firebreak-dev/firebreak/pkg/bell"
	"github.com/firebreak-dev/firebreak/pkg/controller"
	"github.com/firebreak-dev/firebreak/pkg/fence"
	"github.com/firebreak-dev/firebreak/pkg/ledger"
	"github.com/firebreak-dev/firebreak/pkg/scheme"
	"github.com/firebreak-dev/firebreak/pkg/view"
)

// config reads the kubeconfig, else the Pod's own service account.
func config(o Options) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	cfg, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("load the kubeconfig: %w", err)
	}
	// The API server's own priority and fairness limits Firebreak's calls. A limit here would make requests wait behind each
	// other.
	cfg.QPS = -1
	cfg.UserAgent = "firebreak"
	return cfg, nil
}

// parts are the parts that Run wires together.
type parts struct {
	opts   Options
	log    logr.Logger
	mgr    manager.Manager
	direct client.WithWatch
	memory *controller.Cache
	server webhook.Server
	// metrics are the webhook's; skew is how far the clock is from the API server's.
	metrics *admission.Metrics
	skew    *admission.Skew
	// listening is closed once the webhook server runs.
	listening chan struct{}
	// draining is true after the server was told to stop.
	draining atomic.Bool
}

// Run serves until the context ends, then finishes the requests that it has accepted.
func Run(ctx context.Context, o Options, log logr.Logger) error {
	if err := o.Validate(); err != nil {
		return err
	}
	ctrl.SetLogger(log)
	cfg, err := config(o)
	if err != nil {
		return err
	}
	p, err := build(cfg, o, log)
	if err != nil {
		return err
	}
	if err := p.addRunnables(cfg); err != nil {
		return err
	}
	if err := p.serveWhenCertified(); err != nil {
		return err
	}
	go TuneGC(ctx, o.MemoryLimit, func() bool { return !p.memory.Synced() })
	log.Info("starting", "memoryLimit", o.MemoryLimit, "cluster", o.ClusterName, "defaultEnvironment", o.DefaultEnvironment, "namespace", o.Namespace)
	if err := p.mgr.Start(p.drain(ctx)); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	log.Info("stopped")
	return nil
}

func build(cfg *rest.Config, o Options, log logr.Logger) (*parts, error) {
	scheme, err := scheme.New()
	if err != nil {
		return nil, err
	}
	grace := 20 * time.Second
	p := &parts{opts: o, log: log, listening: make(chan struct{}), metrics: admission.NewMetrics(ctrlmetrics.Registry)}
	p.skew = admission.NewSkew(time.Now, p.metrics)
	cfg.Wrap(p.skew.Wrap)
	contact := controller.NewContact(time.Now)
	cfg.Wrap(contact.Wrap)
	p.server = webhook.NewServer(webhook.Options{
		Host: o.BindAddress, Port: o.WebhookPort, CertDir: o.CertDir,
		TLSOpts: []func(*tls.Config){func(t *tls.Config) {
			t.MinVersion = tls.VersionTLS12
			t.NextProtos = []string{"http/1.1"} // API servers speak this to webhooks; HTTP/2 would only add its attacks
		}},
	})
	policies, err := controller.FirewallCache()
	if err != nil {
		return nil, err
	}
	p.mgr, err = ctrl.NewManager(cfg, ctrl.Options{
		Scheme: scheme, Logger: log,
		Cache:                         cache.Options{ByObject: policies},
		Metrics:                       metricsserver.Options{BindAddress: o.MetricsAddr},
		HealthProbeBindAddress:        o.HealthAddr,
		LeaderElection:                true,
		LeaderElectionID:              "firebreak",
		LeaderElectionNamespace:       o.Namespace,
		LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout:       &grace,
	})
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	if p.direct, err = client.NewWithWatch(cfg, client.Options{Scheme: scheme}); err != nil {
		return nil, fmt.Errorf("make the client: %w", err)
	}
	p.memory = controller.NewCache(p.direct, view.Settings{
		Cluster: o.ClusterName, DefaultEnvironment: o.DefaultEnvironment, Namespace: o.Namespace, ServiceAccount: o.ServiceAccount,
		ReadSecrets: o.ReadSecrets, Remembered: o.memory() / 8,
	}, time.Now, log.WithName("memory")).WithContact(contact)
	return p, nil
}

// optional returns what runs only where it is asked for, in the leading replica.
func (p *parts) optional(recorder record.EventRecorder) []manager.Runnable {
	var out []manager.Runnable
	if p.opts.Reports != "" {
		out = append(out, controller.NewScanner(p.memory, p.direct, p.mgr.GetClient(), p.opts.Reports, p.opts.ScanEvery, ctrlmetrics.Registry, p.log.WithName("scanner")))
	}
	if p.opts.StaticFiles {
		out = append(out, controller.NewStaticFiles(p.memory, p.direct, p.opts.Static, p.opts.StaticFence, recorder, p.log.WithName("static-files")))
	}
	return out
}

// addRunnables adds everything that runs beside the webhook, and the probes.
func (p *parts) addRunnables(cfg *rest.Config) error {
	log := p.log
	events, err := recorder(cfg)
	if err != nil {
		return err
	}
	var recorder record.EventRecorder = events.NewRecorder(p.mgr.GetScheme(), corev1.EventSource{Component: "firebreak"})
	runnables := p.memory.Runnables()
	if p.opts.Bell {
		http.DefaultClient = bell.Client() // the library that sends messages uses it, and it has no limit of time otherwise
		b := controller.NewBell(p.memory, p.direct, p.mgr.GetClient(), p.opts.BellSecret, recorder, ctrlmetrics.Registry, log.WithName("bell"))
		runnables, recorder = append(runnables, b), b.Hear(recorder)
	}
	var waiting *controller.PendingDeclarations
	if p.opts.Estate != "" {
		declared := controller.NewEstateApplier(p.memory, p.direct, admission.NewReader(p.direct, p.opts.Namespace, p.memory.Remember),
			client.ObjectKey{Namespace: p.opts.Namespace, Name: p.opts.Estate}, recorder, ctrlmetrics.Registry, log.WithName("declared"))
		runnables, waiting = append(runnables, declared), declared.Waiting()
	}
	if p.opts.Registrations != "" {
		runnables = append(runnables, controller.NewRegistrationRestorer(p.memory, p.direct, client.ObjectKey{Namespace: p.opts.Namespace, Name: p.opts.Registrations},
			client.ObjectKey{Namespace: p.opts.Namespace, Name: p.opts.Deployment}, recorder, ctrlmetrics.Registry, log.WithName("restorer")))
	}
	runnables = append(runnables, p.optional(recorder)...)
	controller.RegisterAge(p.memory, ctrlmetrics.Registry)
	runnables = append(runnables, controller.NewEstateCopier(p.memory, p.direct, recorder, log.WithName("copier")))
	runnables = append(runnables, controller.NewFenceBuilder(p.memory, p.direct, p.mgr.GetClient(), fence.Mode(p.opts.Fence), ctrlmetrics.Registry, log.WithName("fence")))
	var firewall *controller.FirewallState
	reconcilers := []reconciler{controller.NewApprovalActions(p.memory, p.direct, log.WithName("approval-actions"))}
	if p.opts.Firewall != "" {
		f := controller.NewFirewall(p.memory, p.direct, p.opts.Firewall, p.opts.pods, recorder, ctrlmetrics.Registry, log.WithName("firewall"))
		reconcilers, firewall = append(reconcilers, f), f.State()
	}
	registered := controller.NewRegistrationMonitor(p.memory, p.direct, ctrlmetrics.Registry, log.WithName("registered"))
	runnables = append(runnables,
		controller.NewUseMarker(p.memory, p.direct, log.WithName("marker")),
		controller.NewReservationSettler(p.memory, p.direct, log.WithName("settler")),
		controller.NewRecordKeeper(p.memory, p.direct, p.opts.Namespace, log.WithName("records")),
		controller.NewUnreviewed(p.memory, p.mgr.GetClient(), ctrlmetrics.Registry, log.WithName("emergencies")),
		registered,
		newExpiry(p.opts.CertDir, ctrlmetrics.Registry, log.WithName("certificate")),
		allReplicas(func(ctx context.Context) error { <-ctx.Done(); events.Shutdown(); return nil }),
	)
	for _, r := range runnables {
		if err := p.mgr.Add(r); err != nil {
			return fmt.Errorf("add %T: %w", r, err)
		}
	}
	for _, r := range append(reconcilers, controller.NewStatuses(p.memory, p.mgr.GetClient(), waiting).WithFirewall(firewall)) {
		if err := r.SetupWithManager(p.mgr); err != nil {
			return fmt.Errorf("set up %T: %w", r, err)
		}
	}
	p.register(recorder)
	p.server.Register(registrationsPath, tellRegistrations(registered.Missing))
	if err := p.mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add the health probe: %w", err)
	}
	if err := p.mgr.AddReadyzCheck("synced", p.ready); err != nil {
		return fmt.Errorf("add the readiness probe: %w", err)
	}
	return nil
}

// reconciler is a controller with a work queue.
type reconciler interface {
	SetupWithManager(mgr manager.Manager) error
}

// drain returns a context that ends some time after the given one. Until then the server goes on answering, and closes each
// connection with its answer. If the server merely closed the connection, an API server with a request on its way would see
// it fail, and would not send it again.
func (p *parts) drain(ctx context.Context) context.Context {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		<-ctx.Done()
		p.draining.Store(true)
		p.log.Info("draining", "for", p.opts.Drain.String())
		time.Sleep(p.opts.Drain)
		cancel()
	}()
	return out
}

func (p *parts) closing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// ready fails until the replica knows the cluster: before, it would have to refuse everything.
func (p *parts) ready(r *http.Request) error {
	if p.draining.Load() {
		return errors.New("draining")
	}
	if _, err := p.memory.View(); err != nil {
		return err
	}
	select {
	case <-p.listening:
		return p.server.StartedChecker()(r)
	default:
		return errors.New("no certificate yet")
	}
}

func recorder(cfg *rest.Config) (record.EventBroadcaster, error) {
	c, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make the client of events: %w", err)
	}
	b := record.NewBroadcaster()
	b.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: c.CoreV1().Events("")})
	return b, nil
}

// register registers the handlers at their paths: /admit judges, /stamp stamps.
func (p *parts) register(events record.EventRecorder) {
	h := &admission.Handler{
		Cache:       p.memory,
		Live:        admission.NewReader(p.direct, p.opts.Namespace, p.memory.Remember),
		Ledger:      ledger.New(p.direct, p.opts.Namespace),
		Recorder:    &controller.Recorder{Log: p.log.WithName("admission"), Events: events},
		Metrics:     p.metrics,
		Skew:        p.skew,
		Clock:       time.Now,
		Log:         p.log.WithName("admission"),
		Deadline:    p.opts.WebhookTimeout - 2*time.Second,
		Attempts:    admission.NewLimiter(time.Minute, 30),
		Repeats:     admission.NewLimiter(time.Hour, 1),
		Controllers: admission.NewLimiter(time.Second, 20),
	}
	p.server.Register("/admit", p.closing(admission.NewServer(h, p.opts.memory(), p.metrics)))
	p.server.Register("/stamp", p.closing(&ctrladmission.Webhook{Handler: admission.Stamper{}}))
}

// allReplicas is a runnable that runs in every replica, not only in the leading one.
type allReplicas func(context.Context) error

// Start implements manager.Runnable.
func (f allReplicas) Start(ctx context.Context) error { return f(ctx) }

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (f allReplicas) NeedLeaderElection() bool { return false }
