package estate_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/reference"
)

const estateOfStores = `
	env production Production {namespaces: {names: [payments, app]}}
	env staging NonProduction {namespaces: {names: [staging]}}
	store all production {hosts: ["*.example.com"], cidrs: [10.0.0.0/8, "2001:db8::/32"]}
	store orders production {hosts: [Orders.DB.example.com., "*.db.example.com"], cidrs: [10.20.0.0/16], services: [{namespace: payments, name: orders-db}]}
	store exact staging {hosts: [x.db.example.com, 10.20.0.9, "0x0A140008"], cidrs: [10.20.1.0/24, "2001:db8:1::/48", "::ffff:10.20.2.0/120"]}
	store tie-a production {hosts: [tie.example.org, "*.tie.example.org"], cidrs: [192.0.2.0/24]}
	store tie-b staging {hosts: [TIE.example.org, "*.tie.example.org"], cidrs: [192.0.2.99/24]}
	store lost nowhere {hosts: [lost.example.org]}
	store umlaut production {hosts: [größe.example.org]}
	ns payments
	ns staging
	ns dev
	svc payments/orders-db
	svc staging/web
	svc dev/tools
	svc default/web
`

func TestHost(t *testing.T) {
	e := draft(t, estateOfStores)
	for name, test := range map[string]struct{ reason, host, want string }{
		"an exact name":           {"as it was registered, in its normal form", "orders.db.example.com", "orders@production"},
		"below a wildcard":        {"any number of labels, at least one", "a.db.example.com", "orders@production"},
		"far below a wildcard":    {"any number of labels", "a.b.c.db.example.com", "orders@production"},
		"a shorter wildcard":      {"what the longer one does not cover", "a.example.com", "all@production"},
		"the wildcard itself":     {"db is below *.example.com, not below *.db", "db.example.com", "all@production"},
		"an exact name below one": {"the most specific wins", "x.db.example.com", "exact@staging"},
		"below an exact name":     {"an exact name covers nothing below it", "y.x.db.example.com", "orders@production"},
		"a tie":                   {"both own it", "tie.example.org", "tie-a@production tie-b@staging"},
		"a tie of wildcards":      {"both own it", "a.tie.example.org", "tie-a@production tie-b@staging"},
		"an unknown environment":  {"it owns it all the same", "lost.example.org", "lost@nowhere"},
		"an umlaut":               {"in ASCII", "xn--gre-6ka8i.example.org", "umlaut@production"},
		"nobody's":                {"not registered", "example.org", ""},
		"a part of a label":       {"labels are whole", "aexample.com", ""},
		"a top-level domain":      {"nobody's", "com", ""},
		"empty":                   {"nobody's", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := owners(e.Host(test.host)); got != test.want {
				t.Errorf("%s: %s is owned by %q, want %q", test.reason, test.host, got, test.want)
			}
		})
	}
}

func TestAddress(t *testing.T) {
	e := draft(t, estateOfStores)
	for name, test := range map[string]struct{ reason, address, want string }{
		"the shortest prefix":    {"nothing longer covers it", "10.99.0.1", "all@production"},
		"a longer one":           {"the longest wins", "10.20.0.1", "orders@production"},
		"the longest":            {"the longest wins", "10.20.1.1", "exact@staging"},
		"the first of a range":   {"it is in it", "10.20.1.0", "exact@staging"},
		"the last of a range":    {"it is in it", "10.20.1.255", "exact@staging"},
		"behind a range":         {"it is not", "10.20.3.0", "orders@production"},
		"a single address":       {"a host that is an address is a range of one", "10.20.0.9", "exact@staging"},
		"one in hexadecimal":     {"registered as inet_aton takes it", "10.20.0.8", "exact@staging"},
		"mapped into IPv6":       {"it is the same address", "::ffff:10.20.1.1", "exact@staging"},
		"a range that is mapped": {"it is the same range", "10.20.2.7", "exact@staging"},
		"a tie":                  {"both own it: bits behind the prefix do not count", "192.0.2.5", "tie-a@production tie-b@staging"},
		"IPv6":                   {"the longest wins", "2001:db8:1::1", "exact@staging"},
		"IPv6, shorter":          {"nothing longer covers it", "2001:db8:2::1", "all@production"},
		"nobody's":               {"not registered", "203.0.113.1", ""},
		"nobody's IPv6":          {"not registered", "2001:db9::1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := owners(e.Address(netip.MustParseAddr(test.address))); got != test.want {
				t.Errorf("%s: %s is owned by %q, want %q", test.reason, test.address, got, test.want)
			}
		})
	}
	if got := owners(draft(t, "store any a {cidrs: [0.0.0.0/0]}").Address(netip.MustParseAddr("::ffff:192.0.2.1"))); got != "any@a" {
		t.Errorf("a range of everything holds everything: %q", got)
	}
	if got := owners(draft(t, `store any a {cidrs: ["::ffff:0.0.0.0/96"]}`).Address(netip.MustParseAddr("192.0.2.1"))); got != "any@a" {
		t.Errorf("all of IPv4, mapped into IPv6, is all of IPv4: %q", got)
	}
	if got := owners(draft(t, `store any a {cidrs: ["::/0"]}`).Address(netip.MustParseAddr("192.0.2.1"))); got != "" {
		t.Errorf("IPv6's everything is not IPv4's: %q", got)
	}
}

func TestOwnerTier(t *testing.T) {
	e := draft(t, estateOfStores)
	for host, want := range map[string]v1alpha1.Tier{"orders.db.example.com": "Production", "x.db.example.com": "NonProduction", "lost.example.org": "Production"} {
		if got := e.Host(host)[0].Tier(); got != want {
			t.Errorf("%s is of tier %s, want %s; of an environment that does not exist, the stricter reading", host, got, want)
		}
	}
	if o := e.Host("orders.db.example.com")[0]; o.Environment.Name != "production" {
		t.Errorf("an owner says whose it is: %+v", o)
	}
}

func TestResolve(t *testing.T) {
	e := draft(t, estateOfStores)
	for name, test := range map[string]struct {
		reason, host, from string
		strong             bool
		want               string
	}{
		"a registered host":          {"data stores come first", "orders.db.example.com", "dev", true, "orders@production"},
		"an address":                 {"by range", "10.20.1.1", "dev", true, "exact@staging"},
		"a Service in full":          {"svc.ns.svc.cluster.local", "web.staging.svc.cluster.local", "dev", false, "web in staging"},
		"without the domain":         {"svc.ns.svc", "web.staging.svc", "dev", false, "web in staging"},
		"a Service of a data store":  {"it belongs to the store", "orders-db.payments.svc", "dev", false, "orders@production orders-db in payments"},
		"a Pod of a Service":         {"pod.svc.ns.svc", "p-0.web.staging.svc", "dev", false, "web in staging"},
		"a Pod of a Service in full": {"pod.svc.ns.svc.cluster.local", "p-0.web.staging.svc.cluster.local", "dev", false, "web in staging"},
		"a Pod by its address":       {"its name says the namespace, and no Service", "10-20-0-7.staging.pod.cluster.local", "dev", false, "in staging"},
		"an SRV name":                {"_port._proto.svc.ns.svc", "_sql._tcp.web.staging.svc.cluster.local", "dev", false, "web in staging"},
		"two labels, strongly":       {"svc.ns where only a host can stand", "db.nowhere", "dev", true, "db in nowhere"},
		"two labels, weakly":         {"prose does not count", "db.nowhere", "dev", false, ""},
		"a site of the world's":      {"dev is a top-level domain, and has no such Service", "knative.dev", "staging", true, ""},
		"a Service in such a name":   {"there is one", "tools.dev", "staging", true, "tools in dev"},
		"production in such a name":  {"app is a top-level domain, too, but a namespace of production's", "db.app", "staging", true, "db in app"},
		"two labels of a Service":    {"such a Service exists", "web.staging", "dev", false, "web in staging"},
		"one label, strongly":        {"a Service of its own namespace", "web", "staging", true, "web in staging"},
		"one label, weakly":          {"a word", "web", "staging", false, ""},
		"one label from nowhere":     {"cluster-scoped objects have no namespace", "web", "", true, ""},
		"one label of a data store":  {"a Service that a store claims", "orders-db", "payments", true, "orders@production orders-db in payments"},
		"the API server":             {"never a finding", "kubernetes.default.svc", "dev", true, ""},
		"the API server in full":     {"never a finding", "kubernetes.default.svc.cluster.local", "dev", true, ""},
		"the API server in short":    {"never a finding", "kubernetes.default", "dev", true, ""},
		"another of its namespace":   {"only kubernetes is the API server", "web.default.svc", "dev", true, "web in default"},
		"kubernetes of another":      {"only the one of default", "kubernetes.staging.svc", "dev", true, "kubernetes in staging"},
		"the cluster's domain":       {"no Service", "cluster.local", "dev", true, "cluster in local"},
		"below the cluster's domain": {"no Service", "x.cluster.local", "dev", true, ""},
		"svc alone":                  {"too short", "a.svc", "dev", true, "a in svc"},
		"three labels":               {"a host of somebody's", "a.b.c", "dev", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h, ok := reference.NormaliseHost(test.host, true)
			if !ok {
				t.Fatalf("%q is not a host", test.host)
			}
			h.Unambiguous = test.strong
			target := e.Resolve(h, test.from)
			if got := led(target); got != test.want {
				t.Errorf("%s: %s leads to %q, want %q", test.reason, test.host, got, test.want)
			}
		})
	}
	if !e.ServiceExists("staging", "web") || e.ServiceExists("web", "staging") {
		t.Error("namespace first, then name")
	}
}

// led prints what a target leads to: owners, then a Service and its namespace.
func led(r estate.Resolution) string {
	got := owners(r.Owners)
	if r.Service != "" || r.Namespace != "" {
		got = strings.TrimSpace(got + fmt.Sprintf(" %s in %s", r.Service, r.Namespace))
	}
	return got
}

func TestStoreConflicts(t *testing.T) {
	e := draft(t, estateOfStores+`
	store svc-a production {services: [{namespace: n1, name: s}]}
	store svc-b staging {services: [{namespace: n1, name: s}]}
	store same-a production {hosts: [same.example.org]}
	store same-b production {hosts: [same.example.org]}`)
	for store, want := range map[string]bool{
		"tie-a": true, "tie-b": true, "svc-a": true, "svc-b": true, "same-a": false, "same-b": false, "orders": false, "exact": false, "lost": false,
	} {
		if got := e.Conflict(v1alpha1.KindDataStore, store); (got != "") != want {
			t.Errorf("%s is in conflict: %q; two of one environment are not, nor is a more precise entry", store, got)
		}
	}
	const want = `"s.n1.svc" is claimed by data stores of several environments; the rule of either tier applies`
	if got := e.Conflict(v1alpha1.KindDataStore, "svc-a"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOverlapping(t *testing.T) {
	e := draft(t, estateOfStores)
	for name, test := range map[string]struct{ reason, host, want string }{
		"an exact name":        {"its owner", "orders.db.example.com", "orders@production"},
		"below a wildcard":     {"it would be taken away", "new.db.example.com", "orders@production"},
		"a wildcard":           {"whatever lies below it, and what covers it; twice is no harm", "*.db.example.com", "all@production exact@staging exact@staging orders@production orders@production"},
		"a wildcard below":     {"its owner", "*.eu.db.example.com", "orders@production orders@production"},
		"a wildcard of nobody": {"nobody's", "*.example.net", ""},
		"an address":           {"its range's owner", "10.20.1.1", "exact@staging"},
	} {
		t.Run(name, func(t *testing.T) {
			host, wild := test.host, false
			if host[0] == '*' {
				host, wild = host[2:], true
			}
			h, _ := reference.NormaliseHost(host, true)
			if got := owners(e.Overlapping(h, wild)); got != test.want {
				t.Errorf("%s: got %q, want %q", test.reason, got, test.want)
			}
		})
	}
	for name, test := range map[string]struct{ reason, cidr, want string }{
		"within":        {"the one around it", "10.99.0.0/16", "all@production"},
		"around":        {"all that lie in it", "10.20.0.0/15", "all@production exact@staging exact@staging exact@staging exact@staging orders@production"},
		"mapped":        {"the same range in other clothes", "::ffff:192.0.2.0/121", "tie-a@production tie-b@staging"},
		"IPv6":          {"the ones of IPv6", "2001:db8:1:1::/64", "all@production exact@staging"},
		"nobody's":      {"nobody's", "203.0.113.0/24", ""},
		"no range":      {"nobody's", "x", ""},
		"unmasked bits": {"they do not count", "192.0.2.77/24", "tie-a@production tie-b@staging"},
	} {
		t.Run("range "+name, func(t *testing.T) {
			if got := owners(e.OverlappingRange(test.cidr)); got != test.want {
				t.Errorf("%s: got %q, want %q", test.reason, got, test.want)
			}
		})
	}
}

func TestProductionClaim(t *testing.T) {
	e := draft(t, `
	env a Production {namespaces: {names: ["prod-*", "*-live", exact], selector: {matchLabels: {env: prod}}}}
	env b NonProduction {namespaces: {names: ["dev-*"]}}
	ns labelled {env: prod}
	ns dev-x
	env c Production {namespaces: {selector: {matchLabels: {tier: c}}}}
	ns both-1 {env: prod}
	ns both-2 {tier: c}`)
	for glob, want := range map[v1alpha1.Glob]string{
		"prod-web": "a", "prod-*": "a", "prod*": "a", "p*": "a", "*": "a", "x-live": "a", "eu-*": "a", "dev-*-live": "a", "labelled": "a", "lab*": "a", "exact": "a", "exac?": "a", "both-*": "a", "both-2": "c",
		"production": "", "dev-*": "a", "dev-y": "", "exactly": "", "staging": "",
	} {
		if got := e.ProductionClaim(glob); got != want {
			t.Errorf("%q may reach namespaces of %q, want %q: two globs meet where some name could match both", glob, got, want)
		}
	}
}

func TestBoundaryFree(t *testing.T) {
	at := func(clock string) time.Time {
		out, err := time.Parse(time.RFC3339Nano, "2026-11-28T"+clock+"Z")
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	type env struct {
		tier    v1alpha1.Tier
		created string
		sealed  string
	}
	for name, test := range map[string]struct {
		reason string
		envs   []env
		clock  string
		want   bool
	}{
		"nothing is production":              {"there is no boundary yet", []env{{"NonProduction", "00:00:00", ""}}, "23:00:00", true},
		"just created":                       {"the boundary is being drawn", []env{{"Production", "01:00:00", ""}}, "01:00:00", true},
		"in its first hour":                  {"the boundary is being drawn", []env{{"Production", "01:00:00", ""}}, "01:59:59.999999999", true},
		"an hour old":                        {"the hour is over", []env{{"Production", "01:00:00", ""}}, "02:00:00", false},
		"sealed in its first hour":           {"its owner has said so", []env{{"Production", "01:00:00", "true"}}, "01:00:01", false},
		"sealed by another word":             {"only the exact word seals", []env{{"Production", "01:00:00", "yes"}}, "01:00:01", true},
		"a second one beside an old one":     {"the first one counts", []env{{"Production", "01:00:00", ""}, {"Production", "05:00:00", ""}}, "05:00:01", false},
		"a sealed one that is no production": {"it seals nothing", []env{{"NonProduction", "01:00:00", "true"}, {"Production", "01:00:00", ""}}, "01:00:01", true},
		"created in the future":              {"clocks differ; it is young", []env{{"Production", "05:00:00", ""}}, "01:00:00", true},
		"created at no time":                 {"a manifest says none: it is guarded", []env{{"Production", "", ""}}, "01:00:00", false},
	} {
		t.Run(name, func(t *testing.T) {
			var in estate.Input
			for i, spec := range test.envs {
				e := v1alpha1.Environment{}
				e.Name, e.Spec.Tier = fmt.Sprint("e", i), spec.tier
				e.Annotations = map[string]string{v1alpha1.AnnotationSealed: spec.sealed}
				if spec.created != "" {
					e.CreationTimestamp.Time = at(spec.created)
				}
				in.Environments = append(in.Environments, e)
			}
			if got := estate.Compile(in).BoundaryFree(at(test.clock)); got != test.want {
				t.Errorf("%s: free: %t", test.reason, got)
			}
		})
	}
}

// A range belongs to a store only as a whole: one that is wider than the store's does not.
func TestWithin(t *testing.T) {
	e := draft(t, estateOfStores)
	for cidr, want := range map[string]string{
		"10.20.1.0/24":   "exact@staging",
		"10.20.1.128/25": "exact@staging",
		"10.20.0.0/16":   "orders@production",
		"10.20.128.0/24": "orders@production",
		"10.0.0.0/7":     "",
		"0.0.0.0/0":      "",
		"203.0.113.0/24": "",
		"no range":       "",
	} {
		if got := owners(e.Within(cidr)); got != want {
			t.Errorf("%s is within %q, want %q", cidr, got, want)
		}
	}
}

// Under a domain may lie hosts of both tiers: of each, one store is named.
func TestUnder(t *testing.T) {
	e := draft(t, estateOfStores+"store another production {hosts: [a.db.example.com]}")
	for domain, want := range map[string]string{
		"db.example.com": "another@production exact@staging", "example.com": "all@production exact@staging", "x.db.example.com": "exact@staging", "example.org": "lost@nowhere tie-b@staging", "com": "", "example.net": "",
	} {
		if got := owners(e.Under(domain)); got != want {
			t.Errorf("under %s lie hosts of %q, want %q", domain, got, want)
		}
	}
}

// A Service that stands for another host leads where that host leads.
func TestAliases(t *testing.T) {
	chain := func(n int) map[string]string {
		out := map[string]string{}
		for i := 1; i < n; i++ {
			out[fmt.Sprintf("dev/a%d", i)] = fmt.Sprintf("a%d.dev.svc.cluster.local", i+1)
		}
		out[fmt.Sprintf("dev/a%d", n)] = "orders.db.example.com"
		return out
	}
	for name, test := range map[string]struct {
		reason   string
		services map[string]string
		host     string
		want     string
	}{
		"to a data store":            {"the Service is a name of the store", map[string]string{"dev/db": "orders.db.example.com"}, "db.dev.svc", "orders@production"},
		"to another namespace":       {"it leads into that one", map[string]string{"dev/db": "web.staging.svc.cluster.local"}, "db.dev.svc", "web in staging"},
		"within its own namespace":   {"the first name stays", map[string]string{"dev/db": "tools.dev.svc.cluster.local"}, "db.dev.svc", "db in dev"},
		"to somebody's host":         {"it leads to nothing that is known", map[string]string{"dev/db": "www.example.net"}, "db.dev.svc", "db in dev"},
		"to no host":                 {"it leads nowhere", map[string]string{"dev/db": "a b"}, "db.dev.svc", "db in dev"},
		"of a Service of a store":    {"the store owns the Service itself", map[string]string{"payments/orders-db": "x.db.example.com"}, "orders-db.payments.svc", "orders@production orders-db in payments"},
		"as many as are followed":    {"each may stand for the next", chain(4), "a1.dev.svc", "orders@production"},
		"more than are followed":     {"nobody follows for ever", chain(5), "a1.dev.svc", "a1 in dev"},
		"two that stand for another": {"nobody follows for ever", map[string]string{"dev/a": "b.dev.svc", "dev/b": "a.dev.svc"}, "a.dev.svc", "a in dev"},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(t, estateOfStores)
			for service, host := range test.services {
				in.Services[service] = estate.Service{External: host}
			}
			h, _ := reference.NormaliseHost(test.host, true)
			if got := led(estate.Compile(in).Resolve(h, "dev")); got != test.want {
				t.Errorf("%s: %s leads to %q, want %q", test.reason, test.host, got, test.want)
			}
		})
	}
}

// A Service is found by its addresses, too; that of the API server is never a finding.
func TestServicesByAddress(t *testing.T) {
	in := input(t, estateOfStores)
	for service, address := range map[string]string{
		"default/kubernetes": "192.168.0.1", "default/web": "192.168.0.2", "staging/kubernetes": "192.168.0.3", "staging/web": "192.168.0.4", "payments/orders-db": "192.168.0.5", "dev/tools": "10.20.0.1",
	} {
		in.Services[service] = estate.Service{Addresses: []netip.Addr{netip.MustParseAddr(address)}}
	}
	e := estate.Compile(in)
	for address, want := range map[string]string{
		"192.168.0.1": "", "192.168.0.2": "web in default", "192.168.0.3": "kubernetes in staging", "::ffff:192.168.0.4": "web in staging",
		"192.168.0.5": "orders@production orders-db in payments", "10.20.0.1": "orders@production", "192.168.0.99": "",
	} {
		if got := led(e.Resolve(reference.Target{Kind: reference.Host, Name: address, Addr: netip.MustParseAddr(address)}, "dev")); got != want {
			t.Errorf("%s leads to %q, want %q", address, got, want)
		}
		if got, want := e.IsAPIServer(address), address == "192.168.0.1"; got != want {
			t.Errorf("%s is the API server: %t", address, got)
		}
	}
	if !e.IsAPIServer("::ffff:192.168.0.1") || e.IsAPIServer("kubernetes") || e.IsAPIServer("") {
		t.Error("an address that is mapped into IPv6 is the same, and neither a name nor an empty text is an address")
	}
}

// Of two Services of one tier that share a load balancer, the name decides, so that all replicas name the same.
func TestSharedLoadBalancersOfOneTier(t *testing.T) {
	in := input(t, "env production Production {namespaces: {names: [a, b, c]}}\nns a\nns b\nns c")
	for _, name := range []string{"c/web", "a/web", "b/web"} {
		in.Services[name] = estate.Service{Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.7")}, Hosts: []string{"lb.example.com"}}
	}
	e := estate.Compile(in)
	for _, target := range []reference.Target{{Name: "192.0.2.7", Addr: netip.MustParseAddr("192.0.2.7")}, {Name: "lb.example.com"}} {
		if got := led(e.Resolve(target, "dev")); got != "web in a" {
			t.Errorf("%s leads to %s, want web in a", target.Name, got)
		}
	}
}

// Two Services may share a load balancer: whatever their names, the one in production counts.
func TestSharedLoadBalancers(t *testing.T) {
	address, environment := netip.MustParseAddr("192.0.2.7"), func(name string, tier v1alpha1.Tier, namespaces ...v1alpha1.Glob) v1alpha1.Environment {
		return v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.EnvironmentSpec{Tier: tier, Namespaces: v1alpha1.NamespaceMembers{Names: namespaces}}}
	}
	for production, development := range map[string]string{"aaa": "zzz", "zzz": "aaa"} {
		shared := estate.Service{Addresses: []netip.Addr{address}, Hosts: []string{"lb.example.com"}}
		e := estate.Compile(estate.Input{
			Environments: []v1alpha1.Environment{environment("production", v1alpha1.TierProduction, v1alpha1.Glob(production)), environment("development", v1alpha1.TierNonProduction, v1alpha1.Glob(development))},
			Namespaces:   map[string]map[string]string{production: nil, development: nil},
			Services:     map[string]estate.Service{production + "/web": shared, development + "/web": shared},
		})
		for _, target := range []reference.Target{{Kind: reference.Host, Name: "192.0.2.7", Addr: address, Unambiguous: true}, {Kind: reference.Host, Name: "lb.example.com", Unambiguous: true}} {
			if got := e.Resolve(target, development).Namespace; got != production {
				t.Errorf("%s leads to namespace %q, want %q", target.Name, got, production)
			}
		}
	}
}
