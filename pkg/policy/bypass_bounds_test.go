package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// Variables that repeat each other grow beyond what can be read: such an object is refused, not half read.
func TestVariablesThatRepeatEachOther(t *testing.T) {
	env := []string{`{"name":"A","value":"` + strings.Repeat("x.y ", 16_384) + `"}`, `{"name":"B","value":"` + strings.Repeat("$(A)", 16) + `"}`}
	for i := range 100 {
		env = append(env, fmt.Sprintf(`{"name":"C%d","value":"$(B)"}`, i))
	}
	req := &policy.Request{
		Operation: policy.Create, Kind: schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, Namespace: "dev", Name: "x", Now: time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC),
		User:   authenticationv1.UserInfo{Username: "dana"},
		Object: []byte(`{"metadata":{"name":"x"},"spec":{"containers":[{"name":"a","env":[` + strings.Join(env, ",") + `]}]}}`),
	}
	w := policy.NewClusterView(estate.Compile(estate.Input{Namespaces: map[string]map[string]string{"dev": nil}}))
	_, err := policy.Evaluate(*req, w, nil)
	var undecided policy.UndecidedError
	if !errors.As(err, &undecided) {
		t.Errorf("%v, want it undecided", err)
	}
}

// TestWhatCannotBeReadCanGo checks that a limit does not keep for ever an object that was stored before there was a limit.
func TestWhatCannotBeReadCanGo(t *testing.T) {
	object := func(namespace, meta, settings string) string {
		return "{apiVersion: example.com/v1, kind: Shop, metadata: {name: shop, namespace: " + namespace + ", " + meta + "}, spec: {settings: " + quoted(settings) + "}}"
	}
	long := "x: " + strings.Repeat("[", 60_000)
	const (
		going = "deletionTimestamp: '2026-11-28T01:00:00Z', finalizers: [a/b, c/d]"
		gone  = "deletionTimestamp: '2026-11-28T01:00:00Z', finalizers: [c/d]"
	)
	runRequests(t, map[string]request{
		"it goes":                             {reason: "who it is and where says enough", header: header{Requester: "argocd", Operation: "delete"}, objects: object("payments", "a: b", long), want: "admitted"},
		"an outsider lets it go":              {reason: "they may not", header: header{Requester: "dora", Operation: "delete"}, objects: object("payments", "a: b", long), want: "IdentityOutsideEnvironment"},
		"its finalizer goes":                  {reason: "it is being deleted", header: updating("argocd"), objects: then(object("payments", gone, long), object("payments", going, long)), want: "admitted"},
		"its finalizer goes, by an outsider":  {reason: "they may not", header: updating("dora"), objects: then(object("payments", gone, long), object("payments", going, long)), want: "IdentityOutsideEnvironment"},
		"it is cut down":                      {reason: "as the message says", header: updating("argocd"), objects: then(object("payments", "a: b", "x: y"), object("payments", "a: b", long)), want: "admitted"},
		"it is cut down to a production host": {reason: "nobody can tell that it stood there before", header: updating("dora"), objects: then(object("dev", "a: b", host), object("dev", "a: b", long+host)), want: "DataStoreAcrossTiers"},
		"it grows":                            {reason: "nobody can tell what it says", header: updating("argocd"), objects: then(object("payments", "a: b", long+"]"), object("payments", "a: b", long)), want: "undecided: it holds parts that lie within each other until nobody can tell what they say, so nobody can tell what it names; split it, or take out of it what no program reads"},
		"a finalizer goes and something else": {reason: "nobody can tell what it says", header: updating("argocd"), objects: then(object("payments", gone, long+"]"), object("payments", going, long)), want: "undecided: it holds parts that lie within each other until nobody can tell what they say, so nobody can tell what it names; split it, or take out of it what no program reads"},
	})
}

// Each object is made to wear the reader out and ends with a production host. It must not be admitted because the end was not read.
func TestBypassByExhaustion(t *testing.T) {
	type burden struct {
		reason string
		value  string
		// as wraps the value; if it is nil, the value is a variable of a container.
		as   func(value string) string
		want string
	}
	undecided := "undecided"
	denied := string(v1alpha1.RuleDataStoreAcrossTiers)
	custom := func(value string) string {
		return inObject("example.com/v1", "Shop", "spec: {settings: "+quoted(value)+"}")
	}
	aliases := "a0: &a0 [x, x]\n"
	for i := range 40 {
		aliases += fmt.Sprintf("a%d: &a%d [*a%d, *a%d, *a%d]\n", i+1, i+1, i, i, i)
	}
	s := newStage(t)
	for name, test := range map[string]burden{
		"YAML aliases that double forty times":  {"nobody can tell what it says", aliases + "db: " + host + "\n", custom, undecided},
		"a long text that is repeated by alias": {"each use of it is a text of its own to whoever reads it", "a: &a " + strings.Repeat("x", 100_000) + "\nb: [" + strings.Repeat("*a,", 8_000) + "*a]\n", custom, undecided},
		"containers that are repeated by alias": {"each use of them is a container of its own", strings.Repeat("---\na: &a {image: a, args: ["+strings.Repeat("x,", 100)+"x]}\ncontainers: ["+strings.Repeat("*a,", 300)+"*a]\n", 60), custom, undecided},
		"one text in two places by alias":       {"as people write it", "a: &a {host: " + host + "}\nb: *a\n", custom, denied},
		"fields that a template shares":         {"<< puts them in", "a: &a {hostname: " + host + "}\nb: {<<: *a, c: d}\n", custom, denied},
		"brackets in YAML":                      {"more values than are read", "db: " + host + "\nx: " + strings.Repeat("[", 60_000), custom, undecided},
		"an object nested 900 deep": {"deeper than is read, so refused", "", func(string) string {
			return inObject("example.com/v1", "Shop", "spec: "+strings.Repeat("{a: ", 900)+host+strings.Repeat("}", 900))
		}, undecided},
		"lines of eval":      {"each is a script in a script", strings.Repeat("eval \"alias a='eval b'\"\n", 1_000) + "psql -h " + host, inShell, denied},
		"percent signs":      {"each may begin an encoding", strings.Repeat("%2", 100_000) + " postgres://" + host + "/orders", nil, denied},
		"comments in quotes": {"each may end a word", strings.Repeat(` #"`, 60_000) + " postgres://" + host + "/orders", nil, denied},
		"paths of the API":   {"each is a reference", strings.Repeat("https://kubernetes.default/api/v1/namespaces/x/ ", 5_000) + "postgres://" + host + "/orders", nil, denied},
	} {
		t.Run(name, func(t *testing.T) {
			as := test.as
			if as == nil {
				as = func(value string) string { return inEnv("SETTINGS", value) }
			}
			req := newRequest(t, s, header{Requester: "dora"}, documents(t, []byte(as(test.value))), now())
			got := verdict(req, s, nil, t)
			if strings.HasPrefix(got, undecided) {
				got = undecided
			}
			if got != test.want {
				t.Errorf("%.200s, want it %s: %s", got, test.want, test.reason)
			}
		})
	}
}
