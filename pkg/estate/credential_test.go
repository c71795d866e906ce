package estate_test

import (
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

const estateOfCredentials = `
	env production Production
	env staging NonProduction
	store all production {credentials: {secrets: ["*-db"], vaultPaths: ["secret/*"], roleNames: ["arn:aws:iam::1:role/*"]}}
	store orders production {credentials: {secrets: ["orders-*"], vaultPaths: ["secret/data/orders/*"], roleNames: ["arn:aws:iam::1:role/orders-*"]}}
	store exact staging {credentials: {secrets: ["orders-staging"], vaultPaths: ["secret/orders/staging"], roleNames: ["arn:aws:iam::1:role/orders-staging"]}}
	store tie staging {credentials: {secrets: ["?rders-*"]}}
	store twin staging {credentials: {secrets: ["orders-*"]}}
	store pay production {credentials: {secrets: ["pay-*"]}}
	store stars staging {credentials: {secrets: ["p*y*x"]}}
	store none production {hosts: [h.example.com]}
`

// TestCredential: of several globs that match, the most precise holds: the one with most literal characters, and a name before any glob.
func TestCredential(t *testing.T) {
	e := draft(t, estateOfCredentials)
	for name, test := range map[string]struct {
		reason string
		kind   reference.Kind
		name   string
		want   string
	}{
		"a Secret by its name":      {"it is more precise than any glob", reference.Secret, "orders-staging", "exact@staging"},
		"a Secret by two globs":     {"seven characters are more than six and than three; of two as precise, both hold", reference.Secret, "orders-db", "orders@production twin@staging"},
		"a Secret by the one glob":  {"nothing else matches", reference.Secret, "users-db", "all@production"},
		"a Secret by a character":   {"a question mark is not literal", reference.Secret, "borders-x", ""},
		"a Secret of another first": {"a question mark is any character", reference.Secret, "arders-x", "tie@staging"},
		"a Secret by two stars":     {"stars are not literal: four characters are more than three", reference.Secret, "pay-x", "pay@production"},
		"a path by its name":        {"it is more precise than any glob", reference.StorePath, "secret/orders/staging", "exact@staging"},
		"a path by a glob":          {"the spelling with data/ is the same path", reference.StorePath, "secret/orders/live", "orders@production"},
		"a path by the wider glob":  {"nothing else matches", reference.StorePath, "secret/users", "all@production"},
		"a role by its name":        {"it is more precise than any glob", reference.Role, "arn:aws:iam::1:role/orders-staging", "exact@staging"},
		"a role by a glob":          {"the more precise one", reference.Role, "arn:aws:iam::1:role/orders-live", "orders@production"},
		"a role of nobody's":        {"another account's", reference.Role, "arn:aws:iam::2:role/orders-live", ""},
		"a path called like a role": {"kinds are apart", reference.StorePath, "arn:aws:iam::1:role/orders-live", ""},
		"a host":                    {"it opens nothing", reference.Host, "orders-staging", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := owners(e.Credential(reference.Target{Kind: test.kind, Name: test.name})); got != test.want {
				t.Errorf("%s: %s opens %q, want %q", test.reason, test.name, got, test.want)
			}
		})
	}
}

// A glob without a literal character is the least precise, and matches all the same.
func TestCredentialOfEverything(t *testing.T) {
	e := draft(t, `store any a {credentials: {secrets: ["*"]}}`)
	if got := owners(e.Credential(reference.Target{Kind: reference.Secret, Name: "x"})); got != "any@a" {
		t.Errorf("a star matches everything: %q", got)
	}
}

func TestOverlappingCredentials(t *testing.T) {
	e := draft(t, estateOfCredentials)
	for name, test := range map[string]struct {
		reason string
		kind   reference.Kind
		glob   string
		want   string
	}{
		"a Secret by its name": {"every store whose glob matches it, the least precise too", reference.Secret, "orders-db", "all@production orders@production tie@staging twin@staging"},
		"a glob over Secrets":  {"every store whose glob may name the same Secret", reference.Secret, "orders-s*", "all@production exact@staging orders@production tie@staging twin@staging"},
		"another glob":         {"beginning and end must agree, and a wildcard agrees with anything", reference.Secret, "users-*-x", "tie@staging"},
		"a path":               {"the spelling with data/ is the same path", reference.StorePath, "secret/data/orders/*", "all@production exact@staging orders@production"},
		"a role":               {"every store whose glob may name the same role", reference.Role, "arn:aws:iam::1:role/users-*", "all@production"},
		"a host":               {"it opens nothing", reference.Host, "*", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := owners(e.OverlappingCredentials(test.kind, test.glob)); got != test.want {
				t.Errorf("%s: %s overlaps with %q, want %q", test.reason, test.glob, got, test.want)
			}
		})
	}
}

// TestResources: scripts name a bucket, or a storage account, by its URL, by its ARN or by its bare name.
func TestResources(t *testing.T) {
	e := draft(t, `
	store bucket production {resourceNames: ["s3://orders-prod"]}
	store folder production {resourceNames: ["s3://shared/orders"]}
	store account production {resourceNames: ["https://ordersprod.blob.core.windows.net"]}
	store site production {resourceNames: ["https://orders.example.com"]}
	store instance production {resourceNames: [orders-db-1]}
	store arn production {resourceNames: ["arn:aws:rds:eu-west-1:1:db:orders"]}`)
	for name, test := range map[string]struct {
		reason string
		kind   reference.Kind
		name   string
		want   string
	}{
		"a bucket":                    {"by its URL", reference.Resource, "s3://orders-prod", "bucket@production"},
		"a bucket by its name":        {"programs that know the cloud give no more", reference.Instance, "orders-prod", "bucket@production"},
		"a folder by the bucket":      {"the bucket holds others' as well", reference.Instance, "shared", ""},
		"an account by its name":      {"programs that know the cloud give no more", reference.Instance, "ordersprod", "account@production"},
		"a resource by its last part": {"the flags of a cloud's client take no more", reference.Instance, "orders", "arn@production"},
		"an instance":                 {"by its identifier", reference.Instance, "orders-db-1", "instance@production"},
		"an instance as a resource":   {"a bare identifier is no resource's name", reference.Resource, "orders-db-1", ""},
		"a resource by its ARN":       {"by its name", reference.Resource, "arn:aws:rds:eu-west-1:1:db:orders", "arn@production"},
		"an instance by its ARN":      {"scripts give either", reference.Instance, "ARN:aws:rds:eu-west-1:1:db:orders", "arn@production"},
		"a resource that is not ours": {"nobody lists it", reference.Resource, "s3://other", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := owners(e.Resolve(reference.Target{Kind: test.kind, Name: test.name}, "dev").Owners); got != test.want {
				t.Errorf("%s: %s is of %q, want %q", test.reason, test.name, got, test.want)
			}
		})
	}
}

// TestServiceClaim: a store must not register the names of a Production environment's Services as hosts of its own.
func TestServiceClaim(t *testing.T) {
	e := draft(t, "env a Production {namespaces: {names: [payments]}}\nenv b NonProduction {namespaces: {names: [dev]}}\nns payments\nns dev")
	for name, test := range map[string]struct {
		reason, host string
		wildcard     bool
		want         string
	}{
		"a Service of production":       {"it is taken", "db.payments.svc", false, "a"},
		"in short":                      {"two labels, where only a host can stand", "db.payments", false, "a"},
		"a Service of development":      {"it is nobody's in production", "db.dev.svc", false, ""},
		"a host":                        {"it is no Service", "db.example.com", false, ""},
		"one label":                     {"it is of no namespace", "db", false, ""},
		"all Services of a namespace":   {"it is production's", "payments.svc.cluster.local", true, "a"},
		"all in short":                  {"the same", "payments.svc", true, "a"},
		"all of development":            {"it is not", "dev.svc.cluster.local", true, ""},
		"all Services":                  {"production's are among them", "svc.cluster.local", true, "a"},
		"all Pods":                      {"production's are among them", "pod.cluster.local", true, "a"},
		"the cluster's domain":          {"production's Services lie below it", "cluster.local", true, "a"},
		"the domain above":              {"production's Services lie below it, too", "local", true, "a"},
		"a domain of somebody's":        {"it covers no Service", "example.com", true, ""},
		"the cluster's domain, exactly": {"a name that no Service has", "x.cluster.local", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := reference.NormaliseHost(test.host, true)
			if got := e.ServiceClaim(h, test.wildcard); got != test.want {
				t.Errorf("%s: %s takes Services of %q, want %q", test.reason, test.host, got, test.want)
			}
		})
	}
	if got := draft(t, "env b NonProduction").ServiceClaim(reference.Target{Name: "cluster.local"}, true); got != "" {
		t.Errorf("where nothing is production, nothing of it is taken: %q", got)
	}
}

func TestPriorityClass(t *testing.T) {
	in := estate.Input{Priorities: map[string]estate.PriorityClass{"batch": {Value: 50}, "system-node-critical": {Value: 7}}}
	e := estate.Compile(in)
	for name, want := range map[string]int32{"batch": 50, "system-node-critical": 7, "system-cluster-critical": 1<<31 - 1} {
		if got, ok := e.PriorityClass(name); !ok || got.Value != want {
			t.Errorf("%s: %d (%t), want %d: every cluster has the system's two, but a class that the cluster lists counts first", name, got.Value, ok, want)
		}
	}
	if got, ok := estate.Compile(estate.Input{}).PriorityClass("system-node-critical"); !ok || !got.Preempts {
		t.Errorf("every cluster has it, and its Pods have others evicted: %+v, %t", got, ok)
	}
	if _, ok := e.PriorityClass("gone"); ok {
		t.Error("a class that no cluster has is known")
	}
}
