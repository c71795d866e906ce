package boundary_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/policy/boundary"
)

// parsed reads an object in one line of YAML; it returns nil for an empty text.
func parsed[T any](t *testing.T, text string) *T {
	t.Helper()
	if text == "" {
		return nil
	}
	var out T
	if err := yaml.UnmarshalStrict([]byte(text), &out); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return &out
}

func TestWeakensByCreatingAndDeletingEnvironments(t *testing.T) {
	e := theEstate(t)
	for name, test := range map[string]struct{ reason, old, new, want string }{
		"a Production one is created":         {"it would bind others, and its members be members", "", "{metadata: {name: live}, spec: {tier: Production}}", `it creates environment "live" of tier Production`},
		"a Shared one is created":             {"both sides may refer to it", "", "{metadata: {name: p}, spec: {tier: Shared}}", `it creates environment "p" of tier Shared`},
		"one without a tier is created":       {"the stricter reading", "", "{metadata: {name: p}, spec: {}}", `it creates environment "p" of tier `},
		"a NonProduction one is created":      {"it claims nothing of production", "", `{metadata: {name: qa}, spec: {tier: NonProduction, namespaces: {names: [qa, "qa-*"]}, identities: {users: ["*"]}}}`, ""},
		"it claims a production namespace":    {"the namespace would be of both", "", `{metadata: {name: qa}, spec: {tier: NonProduction, namespaces: {names: [payments]}}}`, `it claims namespaces "payments", of which environment "production" owns some`},
		"it claims by glob":                   {"the glob reaches one", "", `{metadata: {name: qa}, spec: {tier: NonProduction, namespaces: {names: ["pay*"]}}}`, `it claims namespaces "pay*", of which environment "production" owns some`},
		"it claims what a pattern will claim": {"two globs that meet", "", `{metadata: {name: qa}, spec: {tier: NonProduction, namespaces: {names: ["*-eu"]}}}`, `it claims namespaces "*-eu", of which environment "production" owns some`},
		"it claims what a label made so":      {"members by label count", "", `{metadata: {name: qa}, spec: {tier: NonProduction, namespaces: {names: [transfer]}}}`, `it claims namespaces "transfer", of which environment "production" owns some`},
		"it claims by label":                  {"labels may be anybody's", "", `{metadata: {name: qa}, spec: {tier: NonProduction, namespaces: {selector: {matchLabels: {qa: "1"}}}}}`, "it claims namespaces by label"},
		"it opens a gateway":                  {"data could cross", "", `{metadata: {name: qa}, spec: {tier: NonProduction, gateways: [{host: x, from: [production], reason: r, expiresAt: "2027-01-01T00:00:00Z"}]}}`, "it opens gateways"},
		"it makes users automation":           {"that holds in every environment", "", `{metadata: {name: qa}, spec: {tier: NonProduction, identities: {automation: ["*"]}}}`, "it makes users automation"},

		"it takes orphans over": {"its data stores would count as NonProduction", "", "{metadata: {name: decommissioned}, spec: {tier: NonProduction}}", `it takes over 1 data store that name environment "decommissioned", and that count as Production while it does not exist`},

		"a Production one is deleted":            {"nothing would be production", "{metadata: {name: production}, spec: {tier: Production}}", "", `it deletes environment "production"`},
		"a NonProduction one is deleted":         {"nobody refers to it", "{metadata: {name: qa}, spec: {tier: NonProduction}}", "", ""},
		"one with data stores is deleted":        {"its data stores would count as production for some and as nothing for the rest", "{metadata: {name: staging}, spec: {tier: NonProduction}}", "", `it deletes environment "staging"`},
		"one with gateways is deleted":           {"what cannot be proved is a weakening", `{metadata: {name: qa}, spec: {tier: NonProduction, gateways: [{host: x, from: [production], reason: r, expiresAt: "2027-01-01T00:00:00Z"}]}}`, "", `it deletes environment "qa"`},
		"one that lists automation is deleted":   {"its machines would be persons, who may approve", "{metadata: {name: qa}, spec: {tier: NonProduction, identities: {automation: [bot]}}}", "", `it deletes environment "qa"`},
		"the seal is taken off":                  {"the boundary would be free again, were it young", `{metadata: {name: p, annotations: {firebreak.dev/sealed: "true"}}, spec: {tier: Production}}`, "{metadata: {name: p}, spec: {tier: Production}}", "it takes the seal off"},
		"the seal is written otherwise":          {"only the exact word seals", `{metadata: {name: p, annotations: {firebreak.dev/sealed: "true"}}, spec: {tier: Production}}`, `{metadata: {name: p, annotations: {firebreak.dev/sealed: "True"}}, spec: {tier: Production}}`, "it takes the seal off"},
		"the seal is put on":                     {"a strengthening", "{metadata: {name: p}, spec: {tier: Production}}", `{metadata: {name: p, annotations: {firebreak.dev/sealed: "true"}}, spec: {tier: Production}}`, ""},
		"NonProduction becomes Production":       {"its members would be members of production", "{metadata: {name: p}, spec: {tier: NonProduction}}", "{metadata: {name: p}, spec: {tier: Production}}", "it changes tier from NonProduction to Production"},
		"a NonProduction one gets a gateway":     {"data could cross from production", "{metadata: {name: qa}, spec: {tier: NonProduction}}", `{metadata: {name: qa}, spec: {tier: NonProduction, gateways: [{host: x, from: [production], reason: r, expiresAt: "2027-01-01T00:00:00Z"}]}}`, `it opens a gateway through "x"`},
		"a NonProduction one is enforced softer": {"its enforcement binds nothing of production", "{metadata: {name: qa}, spec: {tier: NonProduction}}", "{metadata: {name: qa}, spec: {tier: NonProduction, enforcement: {default: Audit}}}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := boundary.WeakensEnvironment(parsed[v1alpha1.Environment](t, test.old), parsed[v1alpha1.Environment](t, test.new), e, now())
			if diff := cmp.Diff(lines(test.want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func TestWeakensDataStore(t *testing.T) {
	e := theEstate(t)
	const orders = `{metadata: {name: orders}, spec: {environment: production, hosts: ["*.prod.db.example.com"], cidrs: [10.20.0.0/16], services: [{namespace: payments, name: orders-db}], resourceNames: [arn-1], credentials: {secrets: [s], vaultPaths: [v], roleNames: [r]}}}`
	claim := func(field string) string {
		return "{metadata: {name: mine}, spec: {environment: development, " + field + "}}"
	}
	for name, test := range map[string]struct{ reason, old, new, want string }{
		"one is deleted":                  {"what nobody owns, nobody guards", orders, "", `it deletes data store "orders" of environment "production"`},
		"nothing changes":                 {"the same", orders, orders, ""},
		"a host is removed":               {"it would be nobody's", `{metadata: {name: o}, spec: {environment: production, hosts: [a.example.com, b.example.com]}}`, `{metadata: {name: o}, spec: {environment: production, hosts: [b.example.com]}}`, `it removes "a.example.com" from hosts`},
		"a host is narrowed":              {"the wildcard covered more", `{metadata: {name: o}, spec: {environment: production, hosts: ["*.example.org"]}}`, `{metadata: {name: o}, spec: {environment: production, hosts: [a.example.org]}}`, `it removes "*.example.org" from hosts`},
		"a range is removed":              {"it would be nobody's", `{metadata: {name: o}, spec: {environment: production, hosts: [a], cidrs: [10.1.0.0/16]}}`, `{metadata: {name: o}, spec: {environment: production, hosts: [a]}}`, `it removes "10.1.0.0/16" from cidrs`},
		"a resource name is removed":      {"it would be nobody's", `{metadata: {name: o}, spec: {environment: production, hosts: [a], resourceNames: [arn]}}`, `{metadata: {name: o}, spec: {environment: production, hosts: [a]}}`, `it removes "arn" from resourceNames`},
		"a Service is removed":            {"it would be nobody's", `{metadata: {name: o}, spec: {environment: production, hosts: [a], services: [{namespace: ns, name: s}]}}`, `{metadata: {name: o}, spec: {environment: production, hosts: [a]}}`, `it removes service "ns/s" from services`},
		"a secret is removed":             {"it would be nobody's", `{metadata: {name: o}, spec: {environment: production, credentials: {secrets: [a, b]}}}`, `{metadata: {name: o}, spec: {environment: production, credentials: {secrets: [b]}}}`, `it removes "a" from credentials.secrets`},
		"a vault path is removed":         {"it would be nobody's", `{metadata: {name: o}, spec: {environment: production, credentials: {vaultPaths: [a, b]}}}`, `{metadata: {name: o}, spec: {environment: production, credentials: {vaultPaths: [b]}}}`, `it removes "a" from credentials.vaultPaths`},
		"a role is removed":               {"it would be nobody's", `{metadata: {name: o}, spec: {environment: production, credentials: {roleNames: [a, b]}}}`, `{metadata: {name: o}, spec: {environment: production, credentials: {roleNames: [b]}}}`, `it removes "a" from credentials.roleNames`},
		"all credentials are removed":     {"they would be nobody's", `{metadata: {name: o}, spec: {environment: production, hosts: [a], credentials: {secrets: [s]}}}`, `{metadata: {name: o}, spec: {environment: production, hosts: [a]}}`, `it removes "s" from credentials.secrets`},
		"it moves to another environment": {"it would be guarded as another's", `{metadata: {name: o}, spec: {environment: production, hosts: [a.example.org]}}`, `{metadata: {name: o}, spec: {environment: staging, hosts: [a.example.org]}}`, "it changes environment from production to staging"},

		"a new one of nobody's text":          {"a data store no part of whose text another tier owns", "", claim("hosts: [mine.example.org], cidrs: [10.99.0.0/16], services: [{namespace: dev, name: db}]"), ""},
		"a new one of production":             {"a longer list guards more", "", `{metadata: {name: o}, spec: {environment: production, hosts: [more.example.org]}}`, ""},
		"a host of another tier":              {"the more precise entry would take it away", "", claim("hosts: [orders.prod.db.example.com]"), `it claims "orders.prod.db.example.com", which data store "orders" of environment "production" owns`},
		"a host in other letters":             {"hosts are compared in their normal form", "", claim("hosts: [ORDERS.prod.db.example.com.]"), `it claims "ORDERS.prod.db.example.com.", which data store "orders" of environment "production" owns`},
		"a wildcard above":                    {"part of what it covers is another's", "", claim(`hosts: ["*.db.example.com"]`), `it claims "*.db.example.com", which data store "cards" of environment "pci" owns`},
		"a wildcard below":                    {"the more precise entry would take it away", "", claim(`hosts: ["*.eu.prod.db.example.com"]`), `it claims "*.eu.prod.db.example.com", which data store "orders" of environment "production" owns`},
		"a range within":                      {"the longer prefix would take it away", "", claim("cidrs: [10.20.3.0/24]"), `it claims "10.20.3.0/24", which data store "orders" of environment "production" owns`},
		"a range around":                      {"part of what it covers is another's", "", claim("cidrs: [10.0.0.0/8]"), `it claims "10.0.0.0/8", which data store "orders" of environment "production" owns`},
		"a range within, mapped into IPv6":    {"it is the same range in other clothes", "", claim(`cidrs: ["::ffff:10.20.3.0/120"]`), `it claims "::ffff:10.20.3.0/120", which data store "orders" of environment "production" owns`},
		"an address as a host":                {"an address is a range of one", "", claim("hosts: [10.20.3.4]"), `it claims "10.20.3.4", which data store "orders" of environment "production" owns`},
		"an address in octal":                 {"it is the same address", "", claim(`hosts: ["012.024.3.4"]`), `it claims "012.024.3.4", which data store "orders" of environment "production" owns`},
		"an IPv6 range within":                {"the longer prefix would take it away", "", claim(`cidrs: ["2001:db8:20:1::/64"]`), `it claims "2001:db8:20:1::/64", which data store "orders" of environment "production" owns`},
		"a Service that another owns":         {"it would be of both", "", claim("services: [{namespace: payments, name: orders-db}]"), `it claims "orders-db.payments", which data store "orders" of environment "production" owns`},
		"a Service in production":             {"it would be excused from NamespaceAcrossTiers", "", claim("services: [{namespace: payments, name: ledger}]"), `it claims service "ledger" in namespace "payments" of "production"`},
		"production claims staging's":         {"the quiet direction is guarded too", "", `{metadata: {name: o}, spec: {environment: production, hosts: [orders.staging.db.example.com]}}`, `it claims "orders.staging.db.example.com", which data store "orders-staging" of environment "staging" owns`},
		"the name of a Service in production": {"a host entry would take the Service away", "", claim("hosts: [ledger.payments.svc]"), `it claims "ledger.payments.svc", a name of Services of environment "production"`},
		"the name of one, in short":           {"the same Service", "", claim("hosts: [ledger.payments]"), `it claims "ledger.payments", a name of Services of environment "production"`},
		"a wildcard over its namespace":       {"all its Services", "", claim(`hosts: ["*.payments.svc.cluster.local"]`), `it claims "*.payments.svc.cluster.local", a name of Services of environment "production"`},
		"a wildcard over all Services":        {"production's among them", "", claim(`hosts: ["*.svc.cluster.local"]`), `it claims "*.svc.cluster.local", a name of Services of environment "edge"`},
		"a wildcard over the cluster":         {"production's among them", "", claim(`hosts: ["*.cluster.local"]`), `it claims "*.cluster.local", a name of Services of environment "edge"`},
		"the name of a Service of its own":    {"nobody else's", "", claim("hosts: [db.dev.svc.cluster.local]"), ""},
		"two of one tier":                     {"tiers are compared, not environments", "", `{metadata: {name: o}, spec: {environment: pci, hosts: [orders.prod.db.example.com]}}`, ""},
		"an environment that does not exist":  {"it may become either side later", "", `{metadata: {name: o}, spec: {environment: nowhere, hosts: [orders.prod.db.example.com]}}`, `it claims "orders.prod.db.example.com", which data store "orders" of environment "production" owns`},
		"its own text again":                  {"it owns that already", `{metadata: {name: orders-dev}, spec: {environment: development, hosts: [orders.dev.db.example.com]}}`, `{metadata: {name: orders-dev}, spec: {environment: development, hosts: [orders.dev.db.example.com, b.dev.db.example.com]}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := boundary.WeakensDataStore(parsed[v1alpha1.DataStore](t, test.old), parsed[v1alpha1.DataStore](t, test.new), e)
			if name == "a Service that another owns" {
				got = got[:1] // the second clause is that of "a Service in production"
			}
			if diff := cmp.Diff(lines(test.want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func TestWeakensExemption(t *testing.T) {
	x := &v1alpha1.Exemption{Spec: v1alpha1.ExemptionSpec{
		Rules: []v1alpha1.RuleName{v1alpha1.RuleDataStoreAcrossTiers, v1alpha1.RuleChangeFrozen}, ExpiresAt: metav1.NewTime(now()),
	}}
	want := []string{"it exempts from [DataStoreAcrossTiers ChangeFrozen] until 2026-11-28 02:30 UTC"}
	for name, test := range map[string]struct {
		reason   string
		old, new *v1alpha1.Exemption
		want     []string
	}{
		"created":  {"writing one weakens production", nil, x, want},
		"labelled": {"its spec is as it was", x, x, nil},
		"deleted":  {"taking one away strengthens", x, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, boundary.WeakensExemption(test.old, test.new)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}
