package estate_test

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// draft builds an estate from short lines, one object each:
//
//	env production Production {namespaces: {names: [payments]}}
//	store orders production {hosts: [orders.example.com]}
//	ns payments {env: prod}
//	svc payments/orders-db
func draft(t testing.TB, text string) *estate.Estate {
	t.Helper()
	return estate.Compile(input(t, text))
}

func input(t testing.TB, text string) estate.Input {
	t.Helper()
	in := estate.Input{
		Cluster: "c1", FirebreakNamespace: "firebreak-system", FirebreakAccount: "firebreak",
		Namespaces: map[string]map[string]string{}, Services: map[string]estate.Service{},
	}
	for line := range strings.Lines(text) {
		words := strings.SplitN(strings.TrimSpace(line), " ", 4)
		switch words[0] {
		case "":
		case "default":
			in.DefaultEnvironment = words[1]
		case "env":
			e := v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: words[1]}}
			parse(t, rest(words, 3), &e.Spec)
			e.Spec.Tier = v1alpha1.Tier(strings.TrimSuffix(words[2], "-"))
			in.Environments = append(in.Environments, e)
		case "store":
			d := v1alpha1.DataStore{ObjectMeta: metav1.ObjectMeta{Name: words[1]}}
			parse(t, rest(words, 3), &d.Spec)
			d.Spec.Environment = words[2]
			in.DataStores = append(in.DataStores, d)
		case "ns":
			labels := map[string]string{}
			parse(t, strings.Join(words[2:], " "), &labels)
			in.Namespaces[words[1]] = labels
		case "svc":
			in.Services[words[1]] = estate.Service{}
		default:
			t.Fatalf("nothing reads %q", line)
		}
	}
	return in
}

func rest(words []string, n int) string {
	if len(words) <= n {
		return "{}"
	}
	return words[n]
}

func parse(t testing.TB, text string, into any) {
	t.Helper()
	if text == "" {
		return
	}
	if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

// environments prints environments by their names.
func environments(list []*estate.Environment) string {
	out := make([]string, len(list))
	for i, env := range list {
		out[i] = env.Name
	}
	return strings.Join(out, " ")
}

// owners prints owners as store@environment.
func owners(list []estate.Owner) string {
	out := make([]string, len(list))
	for i, o := range list {
		out[i] = fmt.Sprintf("%s@%s", o.Store, o.EnvironmentName)
	}
	return strings.Join(out, " ")
}
