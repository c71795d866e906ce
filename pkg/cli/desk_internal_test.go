package cli

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/overview"
)

// What the page says of an environment while a window is in its interval.
func TestNowOf(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	start, end := metav1.NewTime(now.Add(-time.Hour)), metav1.NewTime(now.Add(time.Hour))
	for name, tc := range map[string]struct {
		reason string
		phase  v1alpha1.WindowPhase
		freeze []v1alpha1.Glob
		frozen bool
		want   string
	}{
		"open":                      {"the base of all cases", v1alpha1.WindowOpen, nil, false, "1 open, 0 frozen []"},
		"used up":                   {"nothing is admitted any more, though its interval goes on", v1alpha1.WindowExhausted, nil, false, "0 open, 0 frozen []"},
		"not approved":              {"it waits", v1alpha1.WindowPending, nil, false, "0 open, 0 frozen []"},
		"a freeze of one namespace": {"the window of another goes on, and the page says which is frozen", v1alpha1.WindowOpen, []v1alpha1.Glob{"ledger"}, true, "1 open, 1 frozen [ledger]"},
	} {
		t.Run(name, func(t *testing.T) {
			w := v1alpha1.ChangeWindow{ObjectMeta: metav1.ObjectMeta{Name: "w", Namespace: "payments"}, Spec: v1alpha1.ChangeWindowSpec{Environment: "production", Schedule: v1alpha1.Schedule{Start: &start, End: &end}}, Status: v1alpha1.ChangeWindowStatus{Phase: tc.phase}}
			var freezes []v1alpha1.ChangeFreeze
			if tc.frozen {
				freezes = append(freezes, v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: "f", CreationTimestamp: start}, Spec: v1alpha1.ChangeFreezeSpec{Environments: []string{"production"}, Namespaces: tc.freeze}})
			}
			row := nowOf("production", overview.Openings([]v1alpha1.ChangeWindow{w}, freezes, now, now.Add(horizon), false), overview.Holdings(freezes, now, now.Add(horizon)), now)
			open := 0
			for _, l := range row.Open {
				if l.State == "open" {
					open++
				}
			}
			said := ""
			for _, f := range row.Frozen {
				said += f.Namespaces
			}
			if got := fmt.Sprintf("%d open, %d frozen [%s]", open, len(row.Frozen), said); got != tc.want {
				t.Errorf("%s, want %s: %s", got, tc.want, tc.reason)
			}
		})
	}
}
