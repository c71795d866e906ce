package change_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// Which freezes lie over a window that is open from 02:00 to 04:00, and when it can be used then.
func TestFreezesOver(t *testing.T) {
	at := func(clock string) time.Time { return instant(clock).Time }
	freeze := func(name, start, end string) v1alpha1.ChangeFreeze {
		f := v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: *instant("00:00:00")}, Spec: v1alpha1.ChangeFreezeSpec{Environments: []string{"production"}}}
		if start != "" {
			f.Spec.Schedule = &v1alpha1.Schedule{Start: instant(start)}
			if end != "" {
				f.Spec.Schedule.End = instant(end)
			}
		}
		return f
	}
	for name, test := range map[string]struct {
		reason  string
		freezes []v1alpha1.ChangeFreeze
		window  func(*v1alpha1.ChangeWindow)
		over    int
		from    string
	}{
		"none":                {"nothing is frozen", nil, nil, 0, "02:00:00"},
		"before":              {"it is over when the window opens", []v1alpha1.ChangeFreeze{freeze("a", "01:00:00", "02:00:00")}, nil, 0, "02:00:00"},
		"after":               {"it begins when the window closes", []v1alpha1.ChangeFreeze{freeze("a", "04:00:00", "05:00:00")}, nil, 0, "02:00:00"},
		"into it":             {"the window opens when the freeze is over", []v1alpha1.ChangeFreeze{freeze("a", "01:00:00", "03:00:00")}, nil, 1, "03:00:00"},
		"within it":           {"the window opens, and closes for a time", []v1alpha1.ChangeFreeze{freeze("a", "02:30:00", "03:00:00")}, nil, 1, "02:00:00"},
		"one after the other": {"the second begins as the first ends", []v1alpha1.ChangeFreeze{freeze("b", "02:30:00", "03:30:00"), freeze("a", "01:00:00", "02:30:00")}, nil, 2, "03:30:00"},
		"all of it":           {"the window never opens", []v1alpha1.ChangeFreeze{freeze("a", "01:00:00", "05:00:00")}, nil, 1, ""},
		"until it is lifted":  {"the window never opens", []v1alpha1.ChangeFreeze{freeze("a", "", "")}, nil, 1, ""},
		"of another":          {"it is for another environment", []v1alpha1.ChangeFreeze{freeze("a", "", "")}, func(w *v1alpha1.ChangeWindow) { w.Spec.Environment = "pci" }, 0, "02:00:00"},
		"of sessions":         {"a freeze of changes stops no session", []v1alpha1.ChangeFreeze{freeze("a", "", "")}, func(w *v1alpha1.ChangeWindow) { w.Spec.Scope.Operations = []v1alpha1.Operation{"Exec"} }, 0, "02:00:00"},
		"of the boundary": {"whoever thaws may need to change it", []v1alpha1.ChangeFreeze{freeze("a", "", "")}, func(w *v1alpha1.ChangeWindow) {
			w.Spec.Scope.Resources = resources("firebreak.dev", "Environment", "production")
		}, 0, "02:00:00"},
		"of another namespace": {"it binds one namespace", []v1alpha1.ChangeFreeze{{Spec: v1alpha1.ChangeFreezeSpec{Environments: []string{"production"}, Namespaces: []v1alpha1.Glob{"edge"}}}}, nil, 0, "02:00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			w := window()
			if test.window != nil {
				test.window(w)
			}
			over := change.FreezesOver(w, test.freezes, at("02:00:00"), at("04:00:00"))
			from, ok := change.FirstUnfrozen(over, at("02:00:00"), at("04:00:00"))
			if len(over) != test.over || ok != (test.from != "") || ok && !from.Equal(at(test.from)) {
				t.Errorf("%s: %d freezes, from %s (%t), want %d, from %q", test.reason, len(over), from, ok, test.over, test.from)
			}
		})
	}
}
