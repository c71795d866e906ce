package change_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/change"
)

// freeze returns a freeze of production that is created at two and holds at once, changed by f.
func freeze(name string, f func(*v1alpha1.ChangeFreezeSpec)) v1alpha1.ChangeFreeze {
	out := v1alpha1.ChangeFreeze{
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: *instant("02:00:00")},
		Spec: v1alpha1.ChangeFreezeSpec{
			Environments: []string{"production"}, Level: v1alpha1.FreezeChanges, Reason: "Christmas trading", RequestedBy: alice(),
		},
	}
	if f != nil {
		f(&out.Spec)
	}
	return out
}

func from(start, end string) func(*v1alpha1.ChangeFreezeSpec) {
	return func(s *v1alpha1.ChangeFreezeSpec) {
		s.Schedule = &v1alpha1.Schedule{}
		if start != "" {
			s.Schedule.Start = instant(start)
		}
		if end != "" {
			s.Schedule.End = instant(end)
		}
	}
}

func TestFrozen(t *testing.T) {
	narrowed := func(globs ...v1alpha1.Glob) func(*v1alpha1.ChangeFreezeSpec) {
		return func(s *v1alpha1.ChangeFreezeSpec) { s.Namespaces = globs }
	}
	type freezes = []v1alpha1.ChangeFreeze
	for name, test := range map[string]struct {
		reason       string
		freezes      freezes
		environments []string
		clock        string
		want         string
	}{
		"none": {reason: "nothing is frozen", want: ""},
		"an immediate one": {
			reason: "without a schedule it holds from its creation until it is lifted", freezes: freezes{freeze("now", nil)}, want: "now",
		},
		"an immediate one, at its creation":              {reason: "the start is included", freezes: freezes{freeze("now", nil)}, clock: "02:00:00", want: "now"},
		"an immediate one, before its creation":          {reason: "it does not reach back: that would make replicas disagree", freezes: freezes{freeze("now", nil)}, clock: "01:59:59.999999999", want: ""},
		"an empty schedule":                              {reason: "the same as none", freezes: freezes{freeze("now", from("", ""))}, want: "now"},
		"one with a start, before it":                    {reason: "announced, not yet in force", freezes: freezes{freeze("later", from("03:00:00", ""))}, want: ""},
		"one with a start, at it":                        {reason: "the start is included", freezes: freezes{freeze("later", from("03:00:00", ""))}, clock: "03:00:00", want: "later"},
		"one with a start that lies before its creation": {reason: "its author says since when", freezes: freezes{freeze("early", from("01:00:00", ""))}, clock: "01:30:00", want: "early"},
		"one with an end, just before it":                {reason: "the last instant is included", freezes: freezes{freeze("short", from("", "03:00:00"))}, clock: "02:59:59.999999999", want: "short"},
		"one with an end, at it":                         {reason: "the end is not", freezes: freezes{freeze("short", from("", "03:00:00"))}, clock: "03:00:00", want: ""},
		"one with a recurrence, inside": {
			reason: "the 28th of November 2026 is a Saturday", freezes: freezes{freeze("weekends", weekly("0 0 * * 6"))}, clock: "23:00:00", want: "weekends",
		},
		"one with a recurrence, outside": {
			reason: "Sundays are another day", freezes: freezes{freeze("sundays", weekly("0 0 * * 0"))}, clock: "23:00:00", want: "",
		},
		"one with a recurrence that cannot be read": {
			reason: "what cannot be told is the stricter of the two", freezes: freezes{freeze("weekends", weekly("nonsense"))}, clock: "23:00:00", want: "weekends",
		},
		"of another environment": {
			reason: "it names others", freezes: freezes{freeze("pci", func(s *v1alpha1.ChangeFreezeSpec) { s.Environments = []string{"pci"} })}, want: "",
		},
		"of one of two environments": {
			reason: "a namespace that two claim is bound by either", environments: []string{"edge", "pci"},
			freezes: freezes{freeze("pci", func(s *v1alpha1.ChangeFreezeSpec) { s.Environments = []string{"x", "pci"} })}, want: "pci",
		},
		"of this namespace":       {reason: "a glob over namespaces", freezes: freezes{freeze("pay", narrowed("web", "pay*"))}, want: "pay"},
		"of other namespaces":     {reason: "it is narrowed to others", freezes: freezes{freeze("web", narrowed("web", "web-*"))}, want: ""},
		"the button is a freeze":  {reason: "Everything stops at least what Changes stops", freezes: freezes{freeze("all", func(s *v1alpha1.ChangeFreezeSpec) { s.Level = v1alpha1.FreezeEverything })}, want: "all"},
		"the one that ends last":  {reason: "it says when one may change again", freezes: freezes{freeze("a", from("", "03:00:00")), freeze("b", from("", "05:00:00")), freeze("c", from("", "04:00:00"))}, want: "b"},
		"one without end is last": {reason: "until it is lifted may be for ever", freezes: freezes{freeze("a", nil), freeze("b", from("", "05:00:00"))}, want: "a"},
		"two that end at once":    {reason: "the name decides, so that all replicas name the same", freezes: freezes{freeze("b", from("", "05:00:00")), freeze("a", from("01:00:00", "05:00:00"))}, want: "a"},
		"two without end":         {reason: "the name decides", freezes: freezes{freeze("b", nil), freeze("a", nil)}, want: "a"},
		"only those that hold":    {reason: "a later one that ends last does not hold yet", freezes: freezes{freeze("a", from("", "03:00:00")), freeze("later", from("04:00:00", "09:00:00"))}, want: "a"},
	} {
		t.Run(name, func(t *testing.T) {
			clock, environments := "02:30:00", []string{"production"}
			if test.clock != "" {
				clock = test.clock
			}
			if test.environments != nil {
				environments = test.environments
			}
			got := ""
			if f := change.Frozen(test.freezes, environments, "payments", at(clock)); f != nil {
				got = f.Name
			}
			if got != test.want {
				t.Errorf("%s: frozen by %q, want %q", test.reason, got, test.want)
			}
		})
	}
}

// A freeze that cannot be read holds, and its status says that it cannot be read.
func TestReadable(t *testing.T) {
	for name, test := range map[string]struct {
		freeze v1alpha1.ChangeFreeze
		want   bool
	}{
		"without a schedule": {freeze("now", nil), true}, "every Saturday": {freeze("weekends", weekly("0 0 * * 6")), true},
		"nonsense": {freeze("weekends", weekly("nonsense")), false}, "an end before its start": {freeze("short", from("03:00:00", "02:00:00")), false},
	} {
		if got := change.Readable(&test.freeze); got != test.want {
			t.Errorf("%s: it can be read: %t", name, got)
		}
	}
}

func TestDescribeFreeze(t *testing.T) {
	unstamped := freeze("x", nil)
	unstamped.Spec.RequestedBy = nil
	for name, test := range map[string]struct {
		reason string
		freeze v1alpha1.ChangeFreeze
		want   string
	}{
		"without end": {
			"who, since when, why", freeze("christmas", nil),
			`oidc:sre-alice froze it at 2026-11-28 02:00:00 UTC until somebody lifts it (freeze "christmas": "Christmas trading")`,
		},
		"with an end": {
			"and until when", freeze("christmas", from("03:00:00", "05:00:00")),
			`oidc:sre-alice froze it at 2026-11-28 03:00:00 UTC until 2026-11-28 05:00:00 UTC (freeze "christmas": "Christmas trading")`,
		},
		"without a stamp": {
			"a freeze without a name is a freeze", unstamped,
			`somebody froze it at 2026-11-28 02:00:00 UTC until somebody lifts it (freeze "x": "Christmas trading")`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := change.DescribeFreeze(&test.freeze, at("02:30:00")); got != test.want {
				t.Errorf("%s:\n got %s\nwant %s", test.reason, got, test.want)
			}
		})
	}
}

// weekly returns a change that gives a freeze a recurring day.
func weekly(cron string) func(*v1alpha1.ChangeFreezeSpec) {
	return func(s *v1alpha1.ChangeFreezeSpec) {
		s.Schedule = &v1alpha1.Schedule{Recurrence: &v1alpha1.Recurrence{
			Cron: cron, TimeZone: "UTC", Duration: metav1.Duration{Duration: 24 * time.Hour}, ValidUntil: metav1.NewTime(at("00:00:00").AddDate(1, 0, 0)),
		}}
	}
}
