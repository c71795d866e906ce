package controller

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// Unreviewed counts emergencies that nobody but their requester has reviewed. It runs in the leading replica.
type Unreviewed struct {
	memory *Cache
	client client.Reader
	log    logr.Logger
	gauge  *prometheus.GaugeVec
	// counted are the labels of the gauge's present series.
	counted map[[2]string]bool
}

// NewUnreviewed returns the counter, and registers its metric. c reads from caches.
func NewUnreviewed(m *Cache, c client.Reader, r prometheus.Registerer, log logr.Logger) *Unreviewed {
	u := &Unreviewed{memory: m, client: c, log: log, gauge: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "firebreak", Name: "emergencies_unreviewed",
		Help: "Emergency windows that nobody but their requester has looked at, those that were used and deleted included, by environment and whether it is its requester's second. The leading replica reports it.",
	}, []string{"environment", "second"})}
	r.MustRegister(u.gauge)
	return u
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*Unreviewed) NeedLeaderElection() bool { return true }

// Start counts until the context ends.
func (u *Unreviewed) Start(ctx context.Context) error {
	t := time.NewTicker(recount)
	defer t.Stop()
	for {
		if err := u.once(ctx); err != nil && ctx.Err() == nil {
			u.log.Error(err, "could not count unreviewed emergencies")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

func (u *Unreviewed) once(ctx context.Context) error {
	if u.memory.Estate() == nil {
		return nil
	}
	var windows v1alpha1.ChangeWindowList
	var approvals v1alpha1.ChangeApprovalList
	if err := u.client.List(ctx, &windows, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list change windows: %w", err)
	}
	if err := u.client.List(ctx, &approvals, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list approvals: %w", err)
	}
	u.count(windows.Items, approvals.Items)
	return nil
}

// count counts the emergencies that nobody else has reviewed, all at once: a scrape must not see half of them.
func (u *Unreviewed) count(windows []v1alpha1.ChangeWindow, approvals []v1alpha1.ChangeApproval) {
	state := &change.State{Windows: windows, Approvals: approvals, Executions: u.memory.view.Executions.Values()}
	type which struct{ environment, second string }
	counts := map[which]float64{}
	for _, e := range u.memory.Estate().Production() {
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
	for known := range u.counted {
		if _, still := counts[which{known[0], known[1]}]; !still {
			u.gauge.DeleteLabelValues(known[0], known[1])
		}
	}
	u.counted = map[[2]string]bool{}
	for w, n := range counts {
		u.gauge.WithLabelValues(w.environment, w.second).Set(n)
		u.counted[[2]string{w.environment, w.second}] = true
	}
}
