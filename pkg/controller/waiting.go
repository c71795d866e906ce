package controller

import (
	"maps"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// obstacle is why a declaration is not in force; the zero value means that it is.
type obstacle struct{ reason, message string }

const (
	reasonPending = "PendingApproval"
	reasonRefused = "Refused"
)

// PendingDeclarations holds which declarations are in force and which are not, for statuses and metrics.
type PendingDeclarations struct {
	mu sync.Mutex
	// by is nil before the first comparison.
	by map[declaration]obstacle
	// partial is true if some declarations could not be looked at.
	partial bool
	// completed is true if partial has become false since the last call of set.
	completed bool
	gauge     *prometheus.GaugeVec
	// told is called after every change.
	told []func()
}

// onChange calls f whenever a declaration comes into force, or waits for another reason than before. It does nothing if w is
// nil, which means that nothing is ever declared.
func (w *PendingDeclarations) onChange(f func()) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, f)
}

func newPendingDeclarations(r prometheus.Registerer) *PendingDeclarations {
	w := &PendingDeclarations{gauge: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "firebreak", Name: "estate_pending",
		Help: "1 for each environment and data store that the chart's values declare and that is not in force, by reason: PendingApproval, Refused. The leading replica reports it.",
	}, []string{"kind", "name", "reason"})}
	r.MustRegister(w.gauge)
	return w
}

// set replaces the known declarations. In the metric it adds new series first, so that a scrape in between misses nothing.
func (w *PendingDeclarations) set(by map[declaration]obstacle) {
	if !w.replace(by) {
		return
	}
	for _, f := range w.told {
		f()
	}
}

// replace reports whether anything has changed.
func (w *PendingDeclarations) replace(by map[declaration]obstacle) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	same := w.by != nil && maps.Equal(w.by, by) && !w.completed
	w.completed = false
	for which, o := range by {
		if o.reason != "" {
			w.gauge.WithLabelValues(which.kind, which.name, o.reason).Set(1)
		}
	}
	for which, o := range w.by {
		if o.reason != "" && by[which].reason != o.reason {
			w.gauge.DeleteLabelValues(which.kind, which.name, o.reason)
		}
	}
	w.by = by
	if by == nil {
		w.by = map[declaration]obstacle{}
	}
	return !same
}

// all returns a copy of the known declarations.
func (w *PendingDeclarations) all() map[declaration]obstacle {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[declaration]obstacle{}
	maps.Copy(out, w.by)
	return out
}

// looked reports whether the waiting declarations are known yet.
func (w *PendingDeclarations) looked() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.by != nil
}

// condition sets PendingApproval on a declared object, and removes it from any other.
func (w *PendingDeclarations) condition(kind, name string, list *[]metav1.Condition, generation int64) {
	if w != nil && !w.looked() {
		return // another replica led until now: its condition holds until this one has looked
	}
	o, declared := w.of(kind, name)
	switch {
	case !declared && w.isPartial():
		// The condition holds until the object was looked at.
	case !declared:
		meta.RemoveStatusCondition(list, v1alpha1.ConditionPendingApproval)
	case o.message == "":
		condition(list, v1alpha1.ConditionPendingApproval, false, "Applied", "what the chart's values declare is in force", generation)
	default:
		condition(list, v1alpha1.ConditionPendingApproval, o.reason == reasonPending, o.reason, o.message, generation)
	}
}

// incomplete notes whether the next call of set leaves out declarations that could not be looked at.
func (w *PendingDeclarations) incomplete(partial bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.completed = w.completed || w.partial && !partial
	w.partial = partial
}

func (w *PendingDeclarations) isPartial() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.partial
}

func (w *PendingDeclarations) of(kind, name string) (obstacle, bool) {
	if w == nil {
		return obstacle{}, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	o, declared := w.by[declaration{kind, name}]
	return o, declared
}
