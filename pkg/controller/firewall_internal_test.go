package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

const walled = `
{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: production}, spec: {tier: Production, namespaces: {names: [payments]}, gateways: [{host: 10.20.0.9, from: [development], reason: r, expiresAt: "2026-11-28T03:00:00Z"}]}}
---
{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: development}, spec: {tier: NonProduction, namespaces: {names: [dev]}}}
---
{apiVersion: firebreak.dev/v1alpha1, kind: Environment, metadata: {name: platform}, spec: {tier: Shared, namespaces: {names: [ingress]}}}
---
{apiVersion: firebreak.dev/v1alpha1, kind: DataStore, metadata: {name: orders}, spec: {environment: production, cidrs: [10.20.0.0/16]}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: payments}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: dev}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: ingress}}
---
{apiVersion: v1, kind: Service, metadata: {name: kubernetes, namespace: default}, spec: {clusterIP: 10.96.0.1}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: kubernetes, namespace: default, labels: {kubernetes.io/service-name: kubernetes}}, addressType: IPv4, endpoints: [{addresses: [172.18.0.2]}], ports: [{port: 6443}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: firebreak-firewall, uid: role-1}}
`

// wall is a firewall whose cache is the cluster itself, with the policies reduced as the cache does.
func wall(t *testing.T, docs string) (*stage, *Firewall, *prometheus.Registry) {
	t.Helper()
	s := newStage(t, docs)
	s.synced()
	registry := prometheus.NewRegistry()
	f := NewFirewall(s.memory, s.client, "firebreak-firewall", []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")}, record.NewFakeRecorder(100), registry, s.log())
	f.known, f.plans = reducing{s.client}, rate.NewLimiter(rate.Inf, 1)
	return s, f, registry
}

// reducing reads policies as the cache keeps them.
type reducing struct{ client.Reader }

func (r reducing) List(ctx context.Context, l client.ObjectList, opts ...client.ListOption) error {
	if err := r.Reader.List(ctx, l, opts...); err != nil {
		return err
	}
	list := l.(*networkingv1.NetworkPolicyList)
	list.Items = slices.DeleteFunc(list.Items, func(p networkingv1.NetworkPolicy) bool {
		return p.Labels["app.kubernetes.io/managed-by"] != "firebreak"
	})
	for i := range list.Items {
		if _, err := keepDigest(&list.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

// pass plans once and reconciles all that the plan concerns, and returns the namespaces.
func (f *Firewall) pass(t *testing.T) string {
	t.Helper()
	all, err := f.everything(t.Context(), func() {})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, one := range all {
		names = append(names, one.namespace)
		if _, err := f.Reconcile(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Join(names, " ")
}

// said returns the condition Firewall of an environment.
func (f *Firewall) said(name string) string {
	e, ok := f.memory.view.Environments.Get(name)
	if !ok {
		return "no environment"
	}
	f.state.condition(f.memory.Estate(), &e, &e.Status.Conditions)
	for _, c := range e.Status.Conditions {
		if c.Type == v1alpha1.ConditionFirewall {
			return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
		}
	}
	return "nothing"
}

const firewalledTwo = "the network policies of 1 namespaces are in place, for the network plugin to enforce"

// What is planned is written once, and the policy that an expired gateway opened is written again.
func TestFirewallIsWritten(t *testing.T) {
	s, f, registry := wall(t, walled)
	if got := f.said("production"); got != "nothing" {
		t.Errorf("before the first plan it says %q", got)
	}
	if got := f.pass(t); got != "dev payments" {
		t.Errorf("%s is looked at", got)
	}
	s.wantCalls("create NetworkPolicy firebreak-firewall", "create NetworkPolicy firebreak-firewall")
	if got := f.said("production"); got != "True Applied: "+firewalledTwo {
		t.Errorf("it says %q", got)
	}
	if got := f.said("platform"); got != "nothing" {
		t.Errorf("of what is shared it says %q", got)
	}
	f.pass(t)
	s.wantCalls()
	s.now = at("03:00:00") // the gateway expires
	f.pass(t)
	s.wantCalls("update NetworkPolicy firebreak-firewall as firebreak-firewall with fields of firebreak-firewall")
	healed := func(want string) {
		t.Helper()
		if all := metrics(t, registry); !slices.Contains(all, "firebreak_firewall_healed_total "+want) {
			t.Errorf("%s, want %s healed", all, want)
		}
	}
	healed("0")
	if err := s.client.Delete(t.Context(), &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "dev", Name: "firebreak-firewall"}}); err != nil {
		t.Fatal(err)
	}
	s.wantCalls("delete NetworkPolicy firebreak-firewall of UID any")
	f.pass(t)
	s.wantCalls("create NetworkPolicy firebreak-firewall")
	healed("1")
}

// What is no longer planned is deleted, and nothing of another's.
func TestFirewallDeletesItsOwn(t *testing.T) {
	const labels = "labels: {app.kubernetes.io/managed-by: firebreak, firebreak.dev/firewall: Production}"
	s, f, _ := wall(t, walled+`
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: firebreak-firewall, namespace: ingress, uid: u-1, `+labels+`}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: firebreak-gateway-1, namespace: gone, uid: u-2, `+labels+`}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: mine, namespace: ingress, uid: u-3, `+labels+`}}
`)
	if got := f.pass(t); got != "dev gone ingress payments" {
		t.Errorf("%s is looked at", got)
	}
	s.wantCalls("create NetworkPolicy firebreak-firewall", "delete NetworkPolicy firebreak-gateway-1 of UID u-2", "delete NetworkPolicy firebreak-firewall of UID u-1", "create NetworkPolicy firebreak-firewall")
}

// What is in the way is said, and what can be done about it.
func TestFirewallObstacles(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "networkpolicies"}, "firebreak-firewall", fmt.Errorf("list me"))
	for name, tc := range map[string]struct {
		reason string
		docs   string
		breaks map[string]error
		ranges string
		says   string
	}{
		"another's policy": {"it has the name", walled + "\n---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: firebreak-firewall, namespace: payments}}", nil, "10.244.0.0/16",
			`False Foreign: namespace "payments": NetworkPolicy payments/firebreak-firewall is another's and has a name that Firebreak needs, so it is left alone; delete or rename it`},
		"a refusal": {"a person must do something", walled, map[string]error{"create NetworkPolicy firebreak-firewall": forbidden}, "10.244.0.0/16",
			`False Refused: namespace "payments": write NetworkPolicy payments/firebreak-firewall: networkpolicies "firebreak-firewall" is forbidden: list me`},
		"no role": {"the value was switched off", strings.Replace(walled, "metadata: {name: firebreak-firewall, uid", "metadata: {name: other, uid", 1), nil, "10.244.0.0/16",
			`False Obstructed: ClusterRole "firebreak-firewall", to which the policies belong, is not there; firewall.reconcile of the chart makes it.`},
		"no ranges of Pods": {"nothing would be kept apart", walled, nil, "",
			"False Obstructed: The addresses of Pods are not known, since no node states spec.podCIDRs; set firewall.podCIDRs of the chart, or --pod-cidr. Without them the policies would let everybody reach every Pod by its address."},
		"a Pod elsewhere": {"a plugin may take it for a host", walled + "\n---\n{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: dev}, spec: {containers: []}, status: {podIPs: [{ip: 10.9.9.9}]}}", nil, "10.244.0.0/16",
			"True Applied: " + firewalledTwo + ". 1 addresses of Pods, such as 10.9.9.9 of dev/a, lie in none of the ranges that are taken for those of Pods (10.244.0.0/16): where a network plugin lets a range stand for Pods, these count as hosts outside of the cluster. Name all ranges in firewall.podCIDRs of the chart, or with --pod-cidr."},
	} {
		t.Run(name, func(t *testing.T) {
			s, f, _ := wall(t, tc.docs)
			maps.Copy(s.broken, tc.breaks)
			if tc.ranges == "" {
				f.pods = nil
			}
			f.pass(t)
			if got := f.said("production"); got != tc.says {
				t.Errorf("%s: it says %q, want %q", tc.reason, got, tc.says)
			}
			if len(tc.breaks) > 0 {
				if again := f.pass(t); again != "" {
					t.Errorf("what was refused is tried again at once, in %s", again)
				}
			}
		})
	}
}

// A failure that passes is tried again by the queue, and told meanwhile.
func TestFirewallFails(t *testing.T) {
	s, f, _ := wall(t, walled)
	s.broken["create NetworkPolicy firebreak-firewall"] = errBroken
	if _, err := f.everything(t.Context(), func() {}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Reconcile(t.Context(), firewalled{"payments"}); !errors.Is(err, errBroken) {
		t.Fatalf("%v", err)
	}
	if got, want := f.said("production"), `False Failed: namespace "payments": write NetworkPolicy payments/firebreak-firewall: the API server is away`; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	if got, want := f.said("development"), "False Pending: the network policies of 1 namespaces are being written"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	delete(s.broken, "create NetworkPolicy firebreak-firewall")
	f.pass(t)
	if got := f.said("production"); got != "True Applied: "+firewalledTwo {
		t.Errorf("it says %q", got)
	}
}
