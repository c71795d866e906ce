package estate_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

const estateOfIdentities = `
	env production Production {namespaces: {names: [payments], selector: {matchLabels: {env: prod}}}, identities: {users: ["oidc:sre-*", root], groups: [sre, "team-?"], serviceAccounts: ["argocd/argocd-*"], operators: ["cert-manager/*"], jobLaunchers: ["airflow/scheduler"], automation: ["oidc:repo:*"]}}
	env pci Production {namespaces: {names: [cards]}, identities: {groups: [pci]}}
	env staging NonProduction {namespaces: {names: [staging]}, identities: {groups: [sre, developers], serviceAccounts: ["argocd/argocd-application-controller"], automation: [jenkins]}}
	env platform Shared {namespaces: {names: [monitoring]}}
	ns payments
	ns labelled {env: prod}
	ns cards
	ns staging
	ns argocd
`

func TestIdentity(t *testing.T) {
	e := draft(t, estateOfIdentities)
	type want struct {
		members, operator, launcher string
		automation, production      bool
	}
	for name, test := range map[string]struct {
		reason, user string
		groups       []string
		want         want
	}{
		"a user by name":                    {"listed", "root", nil, want{members: "production", production: true}},
		"a user by glob":                    {"a pattern over names", "oidc:sre-bob", nil, want{members: "production", production: true}},
		"a user by glob, with nothing more": {"a star may stand for nothing", "oidc:sre-", nil, want{members: "production", production: true}},
		"a user in other case":              {"names are exact", "OIDC:sre-bob", nil, want{}},
		"a group":                           {"of both tiers: a member of both", "x", []string{"sre"}, want{members: "production staging", production: true}},
		"a group by glob":                   {"a question mark is one character", "x", []string{"team-a"}, want{members: "production", production: true}},
		"a group that is longer":            {"a question mark is one character", "x", []string{"team-ab"}, want{}},
		"two groups":                        {"all of them count", "x", []string{"pci", "developers"}, want{members: "pci staging", production: true}},
		"a user called like a group":        {"users are no groups", "sre", nil, want{}},
		"nobody":                            {"not listed anywhere", "oidc:dev-dora", []string{"system:authenticated"}, want{}},
		"automation":                        {"it classifies and grants nothing", "oidc:repo:shop", nil, want{automation: true}},
		"automation of another environment": {"it classifies in every environment", "jenkins", nil, want{automation: true}},
		"automation by group":               {"users are listed, not groups", "x", []string{"jenkins"}, want{}},
		"an account of a member namespace":  {"they are members too", "system:serviceaccount:payments:default", nil, want{members: "production", production: true}},
		"an account of one by label":        {"labels make members", "system:serviceaccount:labelled:x", nil, want{members: "production", production: true}},
		"an account of staging":             {"of its own side", "system:serviceaccount:staging:x", nil, want{members: "staging"}},
		"an account of the platform":        {"a member of a Shared environment", "system:serviceaccount:monitoring:x", nil, want{members: "platform"}},
		"an account that is listed":         {"in two environments: a GitOps controller is", "system:serviceaccount:argocd:argocd-application-controller", nil, want{members: "production staging", production: true}},
		"another of its namespace":          {"only those that are listed", "system:serviceaccount:argocd:redis", nil, want{}},
		"an operator":                       {"a member, in a role", "system:serviceaccount:cert-manager:x", nil, want{members: "production", operator: "production", production: true}},
		"a launcher":                        {"a member, in a role", "system:serviceaccount:airflow:scheduler", nil, want{members: "production", launcher: "production", production: true}},
		"a launcher's neighbour":            {"names are exact", "system:serviceaccount:airflow:worker", nil, want{}},
		"an account with a colon":           {"the name is all that follows", "system:serviceaccount:airflow:scheduler:x", nil, want{}},
		"an account without a name":         {"it is none", "system:serviceaccount:payments:", nil, want{}},
		"an account without a namespace":    {"it is none", "system:serviceaccount::x", nil, want{}},
	} {
		t.Run(name, func(t *testing.T) {
			id := e.Identity(test.user, test.groups)
			var members []string
			for _, env := range e.Environments() {
				if id.MemberOf(env.Name) {
					members = append(members, env.Name)
				}
			}
			keys := func(m map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(m)), " ") }
			got := want{strings.Join(members, " "), keys(id.Operator), keys(id.JobLauncher), id.Automation, id.MemberOfTier(v1alpha1.TierProduction)}
			if got != test.want {
				t.Errorf("%s:\n got %+v\nwant %+v", test.reason, got, test.want)
			}
			if id.Listed() != (len(members) > 0) || id.MemberOfAny(e.Production()) != got.production {
				t.Errorf("%s: listed %t, of any of production %t", test.reason, id.Listed(), id.MemberOfAny(e.Production()))
			}
		})
	}
}

// TestGuards: an account acts in each Production environment that lists it, so that environment guards the account.
func TestGuards(t *testing.T) {
	e := draft(t, estateOfIdentities+`
	env batch Production {identities: {serviceAccounts: ["airflow/*"]}}
	env a-clone Production {identities: {operators: ["argocd/*"]}}`)
	for account, want := range map[string]string{
		"argocd/argocd-application-controller": "a-clone production", "argocd/redis": "a-clone", "cert-manager/x": "production",
		"airflow/scheduler": "batch production", "airflow/worker": "batch", "payments/default": "", "staging/x": "",
	} {
		ns, name, _ := strings.Cut(account, "/")
		if got := environments(e.Guards(ns, name)); got != want {
			t.Errorf("%s is guarded by %q, want %q: the Production environments that list it in any role, each once and sorted", account, got, want)
		}
	}
	for ns, want := range map[string]string{"argocd": "a-clone production", "airflow": "batch production", "staging": "", "payments": ""} {
		if got := environments(e.NamespaceGuards(ns)); got != want {
			t.Errorf("accounts of %s are guarded by %q, want %q", ns, got, want)
		}
	}
}

// TestImpersonated: an impersonator of a service account is a member of a Production environment only if that lists the account for it.
func TestImpersonated(t *testing.T) {
	e := draft(t, `
	env production Production {identities: {groups: [sre], operators: ["ops/*"], jobLaunchers: ["ops/*"], impersonated: ["ops/deputy"]}}
	env pci Production {identities: {operators: ["ops/*"]}}
	env staging NonProduction {identities: {groups: [sre], serviceAccounts: ["ops/*"]}}`)
	for name, test := range map[string]struct {
		reason, user string
		groups       []string
		want         string
	}{
		"an account that is listed":     {"of that environment alone, and in no role", "system:serviceaccount:ops:deputy", nil, "production staging"},
		"an account that is not listed": {"outside of production nothing changes", "system:serviceaccount:ops:other", nil, "staging"},
		"a user with groups":            {"the sender has chosen them", "x", []string{"sre"}, "staging"},
	} {
		t.Run(name, func(t *testing.T) {
			id := e.Impersonated(test.user, test.groups)
			var members []string
			for _, env := range e.Environments() {
				if id.MemberOf(env.Name) {
					members = append(members, env.Name)
				}
			}
			if got := strings.Join(members, " "); got != test.want || len(id.Operator)+len(id.JobLauncher) > 0 {
				t.Errorf("%s: a member of %q, want %q; operator %v, launcher %v", test.reason, got, test.want, id.Operator, id.JobLauncher)
			}
		})
	}
}

func TestServiceAccount(t *testing.T) {
	for user, want := range map[string]string{
		"system:serviceaccount:a:b": "a/b", "system:serviceaccount:a:b:c": "a/b:c", "system:serviceaccount:a": "", "system:serviceaccount:": "",
		"system:serviceaccount:a:": "", "system:serviceaccount::b": "", "System:serviceaccount:a:b": "", "a:b": "", "": "",
	} {
		got := ""
		if ns, name, ok := estate.ServiceAccount(user); ok {
			got = ns + "/" + name
		}
		if got != want {
			t.Errorf("%q is account %q, want %q", user, got, want)
		}
	}
}

func TestMatch(t *testing.T) {
	for name, test := range map[string]struct {
		reason, glob, text string
		want               bool
	}{
		"exact":                 {"the same", "abc", "abc", true},
		"another":               {"not the same", "abc", "abd", false},
		"a part":                {"whole names are matched", "abc", "abcd", false},
		"a star":                {"any run", "a*c", "abbbc", true},
		"a star for nothing":    {"none included", "a*c", "ac", true},
		"a star alone":          {"everything", "*", "", true},
		"two stars":             {"any two runs", "*a*", "xxaxx", true},
		"a star that goes back": {"the last run may be longer", "*ab", "aab", true},
		"many stars":            {"the cost stays bounded", strings.Repeat("*a", 30), strings.Repeat("a", 200) + "b", false},
		"a question mark":       {"exactly one", "a?c", "abc", true},
		"one for nothing":       {"exactly one", "a?c", "ac", false},
		"a bracket":             {"no more than * and ?", "[ab]", "a", false},
		"a backslash":           {"there is no escape", `\*`, "*", false},
		"a dot":                 {"it is no pattern", "a.c", "abc", false},
		"case":                  {"names are exact", "A*", "abc", false},
		"an empty name":         {"only stars match it", "a", "", false},
		"an empty glob":         {"it matches the empty name", "", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := estate.Match(v1alpha1.Glob(test.glob), test.text); got != test.want {
				t.Errorf("%s: %q matches %q: %t", test.reason, test.glob, test.text, got)
			}
		})
	}
}

func TestMatchServiceAccount(t *testing.T) {
	for name, test := range map[string]struct {
		reason, glob, namespace, account string
		want                             bool
	}{
		"exact":                      {"the same", "a/b", "a", "b", true},
		"halves":                     {"each on its own", "a*/*b", "ax", "xb", true},
		"a star over the slash":      {"it never reaches over", "*b", "a", "b", false},
		"a slash in the name":        {"the first divides", "a/b/c", "a", "b/c", true},
		"a namespace that is longer": {"whole names are matched", "a/b", "aa", "b", false},
		"everything":                 {"both halves", "*/*", "a", "b", true},
		"no slash":                   {"it names nobody", "*", "a", "b", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := estate.MatchServiceAccount([]v1alpha1.ServiceAccountGlob{"x/y", v1alpha1.ServiceAccountGlob(test.glob)}, test.namespace, test.account); got != test.want {
				t.Errorf("%s: %t", test.reason, got)
			}
		})
	}
}

func TestMatchAny(t *testing.T) {
	if diff := cmp.Diff([]bool{true, true, false, false}, []bool{
		estate.MatchAny([]v1alpha1.Glob{"a", "b*"}, "a"), estate.MatchAny([]v1alpha1.Glob{"a", "b*"}, "bc"),
		estate.MatchAny([]v1alpha1.Glob{"a", "b*"}, "c"), estate.MatchAny(nil, "a"),
	}); diff != "" {
		t.Errorf("one that matches is enough, none matches nothing (-want +got):\n%s", diff)
	}
}
