package estate_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"

	"github.com/firebreak-dev/firebreak/pkg/estate"
)

func TestOutranked(t *testing.T) {
	classes := map[string]estate.PriorityClass{"everyday": {Value: 100, Preempts: true, Default: true}, "batch": {Value: 50, Preempts: true}, "top": {Value: 5000, Preempts: true}}
	const space = "\nns payments {env: prod}"
	for sentence, tc := range map[string]struct {
		estate string
		value  int32
		never  bool
		want   string
	}{
		"above the default class":              {estate: "env prod Production {namespaces: {names: [payments]}}" + space, value: 101, want: "prod"},
		"as high as the default class":         {estate: "env prod Production {namespaces: {names: [payments]}}" + space, value: 100},
		"above the lowest of its own":          {estate: "env prod Production {namespaces: {names: [payments]}, nodes: {priorityClasses: [top, batch]}}" + space, value: 51, want: "prod"},
		"below all of its own":                 {estate: "env prod Production {namespaces: {names: [payments]}, nodes: {priorityClasses: [top]}}" + space, value: 4999},
		"a class of its own that is not there": {estate: "env prod Production {namespaces: {names: [payments]}, nodes: {priorityClasses: [gone]}}" + space, value: 101, want: "prod"},
		"it never preempts":                    {estate: "env prod Production {namespaces: {names: [payments]}}" + space, value: 5000, never: true},
		"a pool apart":                         {estate: "env prod Production {namespaces: {names: [payments]}, nodes: {taints: [dedicated=prod]}}" + space, value: 5000},
		"a pool apart, the highest of users":   {estate: "env prod Production {namespaces: {names: [payments]}, nodes: {taints: [dedicated=prod]}}" + space, value: 1_000_000_000},
		"a pool apart, the system's own":       {estate: "env prod Production {namespaces: {names: [payments]}, nodes: {taints: [dedicated=prod]}}" + space, value: 2_000_000_000, want: "prod"},
		"production runs elsewhere":            {estate: "env prod Production {namespaces: {names: [payments]}}\nns dev {}", value: 5000},
	} {
		t.Run(sentence, func(t *testing.T) {
			in := input(t, tc.estate)
			in.Priorities = classes
			policy := corev1.PreemptLowerPriority
			if tc.never {
				policy = corev1.PreemptNever
			}
			got := ""
			if env := estate.Compile(in).Outranked(estate.PriorityClassOf(&schedulingv1.PriorityClass{Value: tc.value, PreemptionPolicy: &policy})); env != nil {
				got = env.Name
			}
			if got != tc.want {
				t.Errorf("it comes before environment %q, want %q", got, tc.want)
			}
		})
	}
}
