package estate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// estateOfNamespaces claims in every way there is.
const estateOfNamespaces = `
	env production Production {namespaces: {names: [payments, "prod-*"], selector: {matchLabels: {env: prod}}}}
	env pci Production {namespaces: {names: ["*-cards"]}}
	env staging NonProduction {namespaces: {names: ["staging"], selector: {matchExpressions: [{key: stage, operator: In, values: [s1, s2]}]}}}
	env platform Shared {namespaces: {names: [ingress, kube-public]}}
	env empty NonProduction {namespaces: {selector: {}}}
	env nothing NonProduction
	ns payments
	ns prod-web
	ns prod-cards
	ns labelled {env: prod}
	ns both {env: prod, stage: s1}
	ns s2 {stage: s2}
	ns s3 {stage: s3}
	ns staging
	ns ingress
	ns ingress-prod {env: prod}
	ns kube-system
	ns kube-public
	ns firebreak-system
	ns free
`

func TestMembership(t *testing.T) {
	e := draft(t, estateOfNamespaces)
	for name, test := range map[string]struct {
		reason, namespace, want string
		tier, subject           v1alpha1.Tier
	}{
		"by name":                {"the name is listed", "payments", `"production"`, "Production", "Production"},
		"by glob":                {"a pattern over names", "prod-web", `"production"`, "Production", "Production"},
		"by label":               {"a selector over labels", "labelled", `"production"`, "Production", "Production"},
		"by expression":          {"selectors may hold expressions", "s2", `"staging"`, "NonProduction", "NonProduction"},
		"of two of one tier":     {"both claim it", "prod-cards", `"pci" and "production" (Production)`, "Production", "Production"},
		"of two tiers":           {"the stricter holds", "both", `"production" and "staging" (Production)`, "Production", "Production"},
		"of none":                {"unassigned: as a subject it is no production", "free", "no environment", "", "NonProduction"},
		"by no value":            {"the expression names others", "s3", "no environment", "", "NonProduction"},
		"of a shared one":        {"both sides use it", "ingress", `"platform" (Shared)`, "Shared", "Shared"},
		"the cluster's own":      {"unless claimed", "kube-system", "the cluster's own (Shared)", "Shared", "Shared"},
		"Firebreak's own":        {"unless claimed", "firebreak-system", "the cluster's own (Shared)", "Shared", "Shared"},
		"the cluster's, claimed": {"a claim wins", "kube-public", `"platform" (Shared)`, "Shared", "Shared"},
		"unknown, by pattern":    {"it need not exist yet", "prod-later", `"production"`, "Production", "Production"},
		"unknown, of none":       {"nobody claims it", "nowhere", "no environment", "", "NonProduction"},
	} {
		t.Run(name, func(t *testing.T) {
			m := e.NamespaceOrName(test.namespace)
			if m.String() != test.want || m.Tier != test.tier || m.SubjectTier() != test.subject || m.Unassigned() != (test.tier == "") {
				t.Errorf("%s: %s is of %s, tier %q, as a subject %q", test.reason, test.namespace, m, m.Tier, m.SubjectTier())
			}
		})
	}
}

func TestMembershipOfUnknownAndNewLabels(t *testing.T) {
	e := draft(t, estateOfNamespaces)
	if _, known := e.Namespace("prod-later"); known {
		t.Error("what is not in the cluster is not known, whatever its name")
	}
	if m, known := e.Namespace("payments"); !known || !m.In("production") || m.In("pci") {
		t.Errorf("what is in the cluster is known: %s, %t", m, known)
	}
	for name, test := range map[string]struct {
		reason, namespace string
		labels            map[string]string
		want              string
	}{
		"labels that are to be":   {"they decide, not the ones that are", "free", map[string]string{"env": "prod"}, `"production"`},
		"labels that are gone":    {"they decide, not the ones that are", "labelled", nil, "no environment"},
		"a name that stays":       {"labels take nothing away from a name", "payments", map[string]string{"env": "dev"}, `"production"`},
		"a label in other case":   {"labels are exact", "free", map[string]string{"env": "Prod"}, "no environment"},
		"labels of the cluster's": {"a claim by label wins too", "kube-system", map[string]string{"env": "prod"}, `"production"`},
	} {
		t.Run(name, func(t *testing.T) {
			if m := e.NamespaceWith(test.namespace, test.labels); m.String() != test.want {
				t.Errorf("%s: got %s, want %s", test.reason, m, test.want)
			}
		})
	}
}

// TestSelectors: of a selector, all must match, and an empty one matches nothing: an empty selector in Kubernetes matches everything.
func TestSelectors(t *testing.T) {
	for name, test := range map[string]struct {
		reason, selector string
		labels           map[string]string
		want             bool
	}{
		"both":                    {"label and expression match", "{matchLabels: {env: prod}, matchExpressions: [{key: stage, operator: Exists}]}", map[string]string{"env": "prod", "stage": "s1"}, true},
		"the label alone":         {"the expression does not match", "{matchLabels: {env: prod}, matchExpressions: [{key: stage, operator: Exists}]}", map[string]string{"env": "prod"}, false},
		"a label":                 {"nothing more is asked", "{matchLabels: {env: prod}}", map[string]string{"env": "prod"}, true},
		"an expression":           {"nothing more is asked", "{matchExpressions: [{key: stage, operator: Exists}]}", map[string]string{"stage": "s1"}, true},
		"an empty one":            {"nobody means everything", "{}", map[string]string{"env": "prod"}, false},
		"an empty one, no labels": {"nobody means everything", "{}", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := draft(t, "env a Production {namespaces: {selector: "+test.selector+"}}").NamespaceWith("x", test.labels).In("a"); got != test.want {
				t.Errorf("%s: it is claimed: %t", test.reason, got)
			}
		})
	}
}

func TestDefaultEnvironment(t *testing.T) {
	for name, test := range map[string]struct{ reason, text, namespace, want string }{
		"unclaimed":                    {"a cluster that is wholly development says so once", "default development\nenv development NonProduction", "x", `"development"`},
		"claimed":                      {"a claim wins over the default", "default development\nenv development NonProduction\nenv production Production {namespaces: {names: [x]}}", "x", `"production"`},
		"a default of tier Production": {"the safe side for a cluster that is wholly production", "default production\nenv production Production", "x", `"production"`},
		"the cluster's own":            {"it stays Shared", "default production\nenv production Production", "kube-system", "the cluster's own (Shared)"},
		"a default that is none":       {"it does not exist yet", "default nowhere\nenv production Production", "x", "no environment"},
		"no default":                   {"unassigned", "env production Production", "x", "no environment"},
	} {
		t.Run(name, func(t *testing.T) {
			e := draft(t, test.text)
			if m := e.NamespaceOrName(test.namespace); m.String() != test.want {
				t.Errorf("%s: got %s, want %s", test.reason, m, test.want)
			}
		})
	}
}

func TestClaimsName(t *testing.T) {
	e := draft(t, "default production\n"+estateOfNamespaces)
	for ns, want := range map[string]bool{"payments": true, "prod-x": true, "x-cards": true, "labelled": false, "free": false} {
		if got := e.ClaimsName(ns); got != want {
			t.Errorf("%s is claimed by name: %t, want %t; neither labels nor a default are a claim by name", ns, got, want)
		}
	}
}

func TestNamesNamespace(t *testing.T) {
	e := draft(t, "default production\n"+estateOfNamespaces)
	for ns, want := range map[string]bool{"payments": true, "staging": true, "prod-web": false, "labelled": false, "free": false} {
		if got := e.NamesNamespace(ns); got != want {
			t.Errorf("%s is claimed by its very name: %t, want %t; a pattern is no name", ns, got, want)
		}
	}
}

func TestCounts(t *testing.T) {
	e := draft(t, estateOfNamespaces+"store a production {hosts: [a]}\nstore b production {hosts: [b]}\nstore c staging {hosts: [c]}")
	got := map[string][2]int32{}
	for _, env := range e.Environments() {
		got[env.Name] = [2]int32{e.CountNamespaces(env.Name), e.CountStores(env.Name)}
	}
	want := map[string][2]int32{"production": {6, 2}, "pci": {1, 0}, "staging": {3, 1}, "platform": {2, 0}, "empty": {0, 0}, "nothing": {0, 0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("namespaces and data stores of each (-want +got):\n%s", diff)
	}
}

func TestNamespaceConflicts(t *testing.T) {
	e := draft(t, estateOfNamespaces)
	for env, want := range map[string]bool{"production": true, "pci": true, "staging": true, "platform": false, "empty": false, "nothing": false} {
		if got := e.Conflict(v1alpha1.KindEnvironment, env) != ""; got != want {
			t.Errorf("%s is in conflict: %t, want %t", env, got, want)
		}
	}
	e = draft(t, "env a Production {namespaces: {names: [x]}}\nenv b NonProduction {namespaces: {names: [x]}}\nns x")
	const want = `namespace "x" is claimed by "a" and "b" (Production); the stricter holds`
	for _, env := range []string{"a", "b"} {
		if got := e.Conflict(v1alpha1.KindEnvironment, env); got != want {
			t.Errorf("both carry the condition: got %s, want %s", got, want)
		}
	}
}

func TestProblems(t *testing.T) {
	type problem = estate.Problem
	for name, test := range map[string]struct {
		reason, text string
		want         []problem
	}{
		"none": {"what is well formed", estateOfNamespaces, nil},
		"a selector": {
			"it matches nothing, and the names are in force", "env a Production {namespaces: {names: [x], selector: {matchExpressions: [{key: k, operator: Like}]}}}",
			[]problem{{"Environment", "a", "spec.namespaces.selector", `"Like" is not a valid label selector operator`}},
		},
		"a range": {
			"the other range is in force", `store s a {cidrs: [10.0.0.0, 10.1.0.0/16]}`,
			[]problem{{"DataStore", "s", "spec.cidrs[0]", `"10.0.0.0" is not an address range`}},
		},
		"a host": {
			"the other host is in force", `store s a {hosts: ["a b", b, "*."]}`,
			[]problem{{"DataStore", "s", "spec.hosts[0]", `"a b" is not a host`}, {"DataStore", "s", "spec.hosts[2]", `"*." is not a host`}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, draft(t, test.text).Problems()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
	e := draft(t, "env a Production {namespaces: {names: [x], selector: {matchExpressions: [{key: k, operator: Like}]}}}\nstore s a {cidrs: [10.0.0.0, 10.1.0.0/16], hosts: [a b, c]}")
	if !e.NamespaceOrName("x").In("a") || owners(e.Host("c")) != "s@a" {
		t.Error("what is well formed is in force, whatever stands beside it")
	}
}
