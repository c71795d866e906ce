package controller

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// Listeners are called when a declaration comes, goes or waits for another reason, and not otherwise.
func TestWaitingTells(t *testing.T) {
	a, b := declaration{"Environment", "a"}, declaration{"DataStore", "b"}
	waits := obstacle{reasonPending, "it needs a window"}
	refused := obstacle{reasonRefused, "no"}
	const series = "firebreak_estate_pending kind="
	r := prometheus.NewRegistry()
	w, told := newPendingDeclarations(r), 0
	w.onChange(func() { told++ })
	w.onChange(func() { told += 100 })
	for _, step := range []struct {
		name  string
		set   map[declaration]obstacle
		news  bool
		gauge []string
	}{
		{"it has looked, and nothing is declared", nil, true, nil},
		{"still nothing is declared", map[declaration]obstacle{}, false, nil},
		{"one waits", map[declaration]obstacle{a: waits, b: {}}, true, []string{series + "Environment name=a reason=PendingApproval 1"}},
		{"it waits still", map[declaration]obstacle{a: waits, b: {}}, false, []string{series + "Environment name=a reason=PendingApproval 1"}},
		{"it waits for another window", map[declaration]obstacle{a: {reasonPending, "another"}, b: {}}, true, []string{series + "Environment name=a reason=PendingApproval 1"}},
		{"it is refused, and another waits", map[declaration]obstacle{a: refused, b: waits}, true, []string{series + "DataStore name=b reason=PendingApproval 1", series + "Environment name=a reason=Refused 1"}},
		{"one comes into force", map[declaration]obstacle{a: {}, b: waits}, true, []string{series + "DataStore name=b reason=PendingApproval 1"}},
		{"nothing is declared any more", nil, true, nil},
	} {
		told = 0
		w.set(step.set)
		want := 0
		if step.news {
			want = 101
		}
		if told != want {
			t.Errorf("%s: told %d, want %d", step.name, told, want)
		}
		if diff := cmp.Diff(step.gauge, metrics(t, r)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
		if got := w.all(); !maps.Equal(got, step.set) {
			t.Errorf("%s: known is %v", step.name, got)
		}
	}
	w.all()[a] = waits
	if _, declared := w.of("Environment", "a"); declared {
		t.Error("what is handed out is no copy")
	}
	var none *PendingDeclarations
	none.onChange(func() { t.Error("told of what is never declared") })
}
