package admission

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// Metrics counts what the webhook does.
type Metrics struct {
	requests     *prometheus.CounterVec
	seconds      *prometheus.HistogramVec
	work         prometheus.Histogram
	objections   *prometheus.CounterVec
	liveReads    prometheus.Counter
	reservations prometheus.Counter
	undecided    prometheus.Counter
	refused      prometheus.Counter
	panics       prometheus.Counter
	skew         prometheus.Gauge
	unlisted     *prometheus.CounterVec
	// accounts and namespaces are those that have time series of their own.
	accounts, namespaces bounded
}

// NewMetrics makes the metrics and registers them. It panics if a name is taken, which is a programming error.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "firebreak", Name: name, Help: help})
	}
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "firebreak", Name: "admission_requests_total",
			Help: "Requests that were judged, by operation, resource, answer code and whether it was a dry run.",
		}, []string{"operation", "group", "resource", "subresource", "code", "dry_run"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "firebreak", Name: "admission_duration_seconds",
			Help:    "How long judging a request took, in seconds.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"operation"}),
		work: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "firebreak", Name: "admission_work_units",
			Help:    "What reading a request has cost, in units of about one byte that one reader looks at. Beyond 160 Mi a request is refused.",
			Buckets: prometheus.ExponentialBuckets(1<<10, 8, 7),
		}),
		objections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "firebreak", Name: "findings_total",
			Help: "Findings, by rule, action, environment and the namespace of the object; beyond 500 namespaces, \"others\".",
		}, []string{"rule", "action", "environment", "namespace"}),
		unlisted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "firebreak", Name: "unlisted_automation_total",
			Help: "Requests in production by service accounts that no Environment lists, by account; beyond 500 accounts, \"others\".",
		}, []string{"account"}),
		liveReads:    counter("live_reads_total", "Change-controlled requests, for which state was read live."),
		reservations: counter("executions_reserved_total", "Executions of change windows that were reserved."),
		undecided:    counter("undecided_total", "Requests that could not be judged and were refused."),
		skew: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "firebreak", Name: "clock_skew_seconds", Help: "How far the server's clock is ahead of the API server's, in seconds; beyond 5 no window is opened.",
		}),
		refused: counter("admission_refused_busy_total", "Requests that were refused unread, since those under way held all the memory there is for requests."),
		panics:  counter("panics_total", "Requests whose judging panicked; each was refused."),
	}
	r.MustRegister(m.requests, m.seconds, m.work, m.objections, m.liveReads, m.reservations, m.undecided, m.refused, m.panics, m.skew, m.unlisted)
	return m
}

func (m *Metrics) observe(req *admission.Request, resp *admission.Response, d time.Duration) {
	code := "200"
	if resp.Result != nil {
		code = strconv.Itoa(int(resp.Result.Code))
	}
	dry := req.DryRun != nil && *req.DryRun
	m.requests.WithLabelValues(string(req.Operation), req.Resource.Group, req.Resource.Resource, req.SubResource, code, strconv.FormatBool(dry)).Inc()
	m.seconds.WithLabelValues(string(req.Operation)).Observe(d.Seconds())
}

func (m *Metrics) findings(namespace string, d *policy.Decision) {
	for _, f := range d.Findings {
		m.objections.WithLabelValues(string(f.Rule), string(f.Action), f.Environment, m.namespaces.name(namespace)).Inc()
	}
	if d.Unlisted != "" {
		m.unlisted.WithLabelValues(m.accounts.name(d.Unlisted)).Inc()
	}
}

// maxNames bounds the accounts, and the namespaces, that have time series of their own: a person who may create service accounts
// could otherwise make one for each.
const maxNames = 500

// bounded keeps the first maxNames names, and calls all others "others".
type bounded struct {
	lock  sync.Mutex
	known map[string]bool
}

func (b *bounded) name(s string) string {
	b.lock.Lock()
	defer b.lock.Unlock()
	switch {
	case b.known[s]:
		return s
	case len(b.known) >= maxNames:
		return "others"
	case b.known == nil:
		b.known = map[string]bool{}
	}
	b.known[s] = true
	return s
}
