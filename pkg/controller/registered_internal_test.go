package controller

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// registered returns both configurations with the named webhooks, each with a rule; a name after a dash gets none.
func registered(names ...string) []client.Object {
	v, m := &admissionregistrationv1.ValidatingWebhookConfiguration{}, &admissionregistrationv1.MutatingWebhookConfiguration{}
	v.Name, m.Name = "firebreak", "firebreak"
	rule := []admissionregistrationv1.RuleWithOperations{{Rule: admissionregistrationv1.Rule{Resources: []string{"*"}}}}
	for _, n := range names {
		rules := rule
		if n[0] == '-' {
			n, rules = n[1:], nil
		}
		if n == "stamp" {
			m.Webhooks = append(m.Webhooks, admissionregistrationv1.MutatingWebhook{Name: n + ".firebreak.dev", Rules: rules})
		} else {
			v.Webhooks = append(v.Webhooks, admissionregistrationv1.ValidatingWebhook{Name: n + ".firebreak.dev", Rules: rules})
		}
	}
	return []client.Object{v, m}
}

func TestRegistered(t *testing.T) {
	all := registered("stamp", "core", "broad")
	for name, tc := range map[string]struct {
		there   []client.Object
		missing []string
	}{
		"all are there":                 {all, nil},
		"one is gone":                   {registered("stamp", "core"), []string{"broad.firebreak.dev"}},
		"one is sent nothing":           {registered("stamp", "-core", "broad"), []string{"core.firebreak.dev"}},
		"another's is there":            {registered("stamp", "core", "broad", "other"), nil},
		"one configuration is gone":     {all[:1], []string{"stamp.firebreak.dev"}},
		"the other one is gone":         {all[1:], []string{"core.firebreak.dev", "broad.firebreak.dev"}},
		"both are there without a hook": {registered(), []string{"stamp.firebreak.dev", "core.firebreak.dev", "broad.firebreak.dev"}},
		"nothing is there":              {nil, []string{"stamp.firebreak.dev", "core.firebreak.dev", "broad.firebreak.dev"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := newStage(t, production, tc.there...), prometheus.NewRegistry()
			s.synced()
			g := NewRegistrationMonitor(s.memory, s.client, r, s.log())
			if got, looked := g.Missing(); got != nil || looked {
				t.Errorf("before it has looked it says %s: %t", got, looked)
			}
			g.once(t.Context())
			g.once(t.Context())
			if got, looked := g.Missing(); !slices.Equal(got, tc.missing) || !looked {
				t.Errorf("missing %s: %t; want %s", got, looked, tc.missing)
			}
			want := []string{"firebreak_estate_ready 1"}
			for _, hook := range []string{"broad", "core", "stamp"} {
				n := 1
				if slices.Contains(tc.missing, hook+".firebreak.dev") {
					n = 0
				}
				want = append(want, fmt.Sprintf("firebreak_webhook_registered webhook=%s.firebreak.dev %d", hook, n))
			}
			if diff := cmp.Diff(want, metrics(t, r)); diff != "" {
				t.Errorf("metrics (-want +got):\n%s", diff)
			}
			if len(s.logged) != len(tc.missing) {
				t.Errorf("it says %d lines, want one of each that is missing: %s", len(s.logged), s.logged)
			}
			for _, hook := range tc.missing {
				s.wantLogged(`"msg"="the registration of a webhook is gone: what it would be asked about is not judged" "webhook"="` + hook + `"`)
			}
		})
	}
}

// A registration that cannot be read is not reported as gone, and the last report stays.
func TestRegisteredThatCannotBeSeen(t *testing.T) {
	for _, call := range []string{"get ValidatingWebhookConfiguration firebreak", "get MutatingWebhookConfiguration firebreak"} {
		t.Run(call, func(t *testing.T) {
			s, r := newStage(t, production, registered("stamp", "core")...), prometheus.NewRegistry()
			g := NewRegistrationMonitor(s.memory, s.client, r, s.log())
			s.broken[call] = errBroken
			g.once(t.Context())
			if got, looked := g.Missing(); got != nil || looked {
				t.Errorf("it says %s: %t", got, looked)
			}
			s.wantLogged(`"msg"="could not look for the webhook configurations" "error"="the API server is away"`)
			s.broken = nil
			g.once(t.Context())
			s.broken = map[string]error{call: errBroken}
			g.once(t.Context())
			if got, _ := g.Missing(); !slices.Equal(got, []string{"broad.firebreak.dev"}) {
				t.Errorf("it says %s", got)
			}
		})
	}
}

// A replica is ready after it knows the estate and has read everything.
func TestEstateReady(t *testing.T) {
	s, r := newStage(t, production), prometheus.NewRegistry()
	g := NewRegistrationMonitor(s.memory, s.client, r, s.log())
	ready := func(want string) {
		t.Helper()
		g.once(t.Context())
		if got := metrics(t, r)[0]; got != "firebreak_estate_ready "+want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	ready("0")
	s.synced()
	ready("1")
	s.memory.est.Store(nil)
	ready("0")
}

// Every replica checks at once when it starts, and again and again until its context ends.
func TestRegisteredRuns(t *testing.T) {
	s := newStage(t, production, registered("stamp", "core")...)
	g := NewRegistrationMonitor(s.memory, s.client, prometheus.NewRegistry(), s.log())
	var every manager.LeaderElectionRunnable = g
	if every.NeedLeaderElection() || g.every != 10*time.Second {
		t.Errorf("only the leading replica looks, or every %s", g.every)
	}
	g.every = 5 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Start(ctx) }()
	eventually(t, "it is missed", func() bool { got, _ := g.Missing(); return len(got) == 1 })
	full := registered("stamp", "core", "broad")[0]
	if err := s.client.Patch(t.Context(), full, client.Merge); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is back", func() bool { got, looked := g.Missing(); return len(got) == 0 && looked })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
