package controller

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/firewall"
)

// Why the policies of a namespace are not in place, besides reasonRefused.
const (
	reasonForeign = "Foreign"
	reasonFailed  = "Failed"
)

// FirewallState holds how far the firewall is in place, for statuses and metrics.
type FirewallState struct {
	mu sync.Mutex
	// by holds what is in the way of each namespace that was looked at; the zero value: nothing. It is nil before the first plan.
	by map[string]obstacle
	// wanted are the namespaces of the plan, obstructed says why there is no plan to apply, and notes is what people should know of it.
	wanted            []string
	obstructed, notes []string
	namespaces        *prometheus.GaugeVec
	planless          prometheus.Gauge
}

func newFirewallState(r prometheus.Registerer) *FirewallState {
	s := &FirewallState{
		namespaces: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "firebreak", Name: "firewall_namespaces",
			Help: "Namespaces by how far the network policies of the firewall are in place: Applied, Pending, Foreign, Refused, Failed. The leading replica reports it.",
		}, []string{"state"}),
		planless: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "firebreak", Name: "firewall_obstructed",
			Help: "1 if the network policies of the firewall cannot be made, so that what was written before stays as it is. The leading replica reports it.",
		}),
	}
	r.MustRegister(s.namespaces, s.planless)
	return s
}

// planned notes a new plan, and reports whether what is to be said of it has changed.
func (s *FirewallState) planned(plan *firewall.Plan, obstacles, notes []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.by == nil || !slices.Equal(s.obstructed, obstacles) || !slices.Equal(s.notes, notes)
	s.wanted, s.obstructed, s.notes = plan.Namespaces(), obstacles, notes
	if s.by == nil {
		s.by = map[string]obstacle{}
	}
	for ns := range s.by {
		if _, still := slices.BinarySearch(s.wanted, ns); !still && s.by[ns].reason == "" {
			delete(s.by, ns)
		}
	}
	s.report()
	return changed
}

func (s *FirewallState) obstacles() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.obstructed
}

// looked notes what is in the way of a namespace, and reports whether that is new.
func (s *FirewallState) looked(namespace string, why obstacle) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, known := s.by[namespace]
	if known && before == why {
		return false
	}
	if _, wanted := slices.BinarySearch(s.wanted, namespace); !wanted && why.reason == "" {
		delete(s.by, namespace)
	} else {
		s.by[namespace] = why
	}
	s.report()
	return true
}

// refused reports whether admission has refused the policies of a namespace.
func (s *FirewallState) refused(namespace string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.by[namespace].reason == reasonRefused
}

// failed notes that the policies of a namespace could not be written. They are tried again.
func (s *FirewallState) failed(namespace string, err error) {
	s.looked(namespace, obstacle{reasonFailed, err.Error()})
}

// report sets the metrics.
func (s *FirewallState) report() {
	counts := map[string]float64{"Applied": 0, "Pending": 0, reasonForeign: 0, reasonRefused: 0, reasonFailed: 0}
	for _, ns := range s.wanted {
		if _, known := s.by[ns]; !known {
			counts["Pending"]++
		}
	}
	for _, why := range s.by {
		if why.reason == "" {
			counts["Applied"]++
		} else {
			counts[why.reason]++
		}
	}
	for state, n := range counts {
		s.namespaces.WithLabelValues(state).Set(n)
	}
	s.planless.Set(0)
	if len(s.obstructed) > 0 {
		s.planless.Set(1)
	}
}

// condition sets the condition Firewall of an environment, and removes it if s is nil, which means that no policies are written.
func (s *FirewallState) condition(e *estate.Estate, env *v1alpha1.Environment, list *[]metav1.Condition) {
	if s == nil || env.Spec.Tier == v1alpha1.TierShared {
		meta.RemoveStatusCondition(list, v1alpha1.ConditionFirewall)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		return // another replica led until now: its condition holds until this one has looked
	}
	set := func(holds bool, reason, message string) {
		condition(list, v1alpha1.ConditionFirewall, holds, reason, clip(message, maxCondition), env.Generation)
	}
	if len(s.obstructed) > 0 {
		set(false, "Obstructed", strings.Join(s.obstructed, " "))
		return
	}
	applied, pending := 0, 0
	for _, ns := range s.wanted {
		if m, ok := e.Namespace(ns); !ok || !m.In(env.Name) {
			continue
		}
		switch why, known := s.by[ns]; {
		case !known:
			pending++
		case why.reason != "":
			set(false, why.reason, fmt.Sprintf("namespace %q: %s", ns, why.message))
			return
		default:
			applied++
		}
	}
	if pending > 0 {
		set(false, "Pending", fmt.Sprintf("the network policies of %d namespaces are being written", pending))
		return
	}
	message := fmt.Sprintf("the network policies of %d namespaces are in place, for the network plugin to enforce", applied)
	set(true, "Applied", strings.Join(append([]string{message}, s.notes...), ". "))
}

// maxCondition is how long the message of a condition may be.
const maxCondition = 4096
