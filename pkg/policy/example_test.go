package policy_test

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// shop returns an estate of a production and a development environment, and of one data store.
func shop() *estate.Estate {
	environment := func(name string, tier v1alpha1.Tier, namespace, group v1alpha1.Glob) v1alpha1.Environment {
		return v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.EnvironmentSpec{
			Tier: tier, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{namespace}}, Identities: v1alpha1.IdentityMembers{Groups: []v1alpha1.Glob{group}},
		}}
	}
	return estate.Compile(estate.Input{
		Environments: []v1alpha1.Environment{environment("production", v1alpha1.TierProduction, "shop", "sre"), environment("development", v1alpha1.TierNonProduction, "dev", "developers")},
		DataStores: []v1alpha1.DataStore{{
			ObjectMeta: metav1.ObjectMeta{Name: "orders"}, Spec: v1alpha1.DataStoreSpec{Environment: "production", Hosts: []string{"orders.db.example.com"}},
		}},
		Namespaces: map[string]map[string]string{"shop": nil, "dev": nil}, Cluster: "eu-1", FirebreakNamespace: "firebreak-system",
	})
}

func podIn(namespace string) policy.Request {
	return policy.Request{
		Operation: policy.Create, Namespace: namespace, Name: "try",
		Kind:     schema.GroupVersionKind{Version: "v1", Kind: "Pod"},
		Resource: schema.GroupVersionResource{Version: "v1", Resource: "pods"},
		User:     authenticationv1.UserInfo{Username: "dana", Groups: []string{"developers", "system:authenticated"}},
		Object:   []byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"try"},"spec":{"containers":[{"name":"a","image":"a:1","env":[{"name":"DB","value":"orders.db.example.com"}]}]}}`),
		Now:      time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC),
	}
}

// A request is judged by an estate, and by the rest of the known cluster.
func ExampleEvaluate() {
	req := podIn("dev")
	d, err := policy.Evaluate(req, policy.NewClusterView(shop()), nil)
	if err != nil {
		fmt.Println("it cannot be judged:", err)
		return
	}
	fmt.Println("allowed:", d.Allowed)
	fmt.Println(policy.DenialMessage(req, d.Denied()))
	// Output:
	// allowed: false
	// pods "try" is forbidden: use a data store of "development" (DataStoreAcrossTiers: env "DB" names "orders.db.example.com", data store "orders" of "production"; "dev" is in "development")
}

// labelsOf reads what is missing from a map, in place of a cluster.
type labelsOf map[string]map[string]string

func (l labelsOf) Read(_ context.Context, m *policy.Missing, _ *policy.ClusterView, f *policy.Facts) error {
	if m.Namespace == "" {
		return fmt.Errorf("nobody here knows that %s", m)
	}
	f.NamespaceLabels, f.NamespaceRead = l[m.Namespace], true
	return nil
}

// A decision asks for what is not known, and nothing is admitted until it is known.
func ExamplePrepareWith() {
	req, w := podIn("new"), policy.NewClusterView(shop())
	d, err := policy.Evaluate(req, w, nil)
	if err != nil {
		fmt.Println("it cannot be judged:", err)
		return
	}
	fmt.Println("allowed:", d.Allowed, "since", d.Missing)
	c, err := policy.PrepareWith(context.Background(), req, w, labelsOf{"new": {"team": "web"}})
	if err != nil {
		fmt.Println("it cannot be judged:", err)
		return
	}
	for _, f := range c.Decide(nil).Findings {
		fmt.Println(f.Action, f.Rule)
	}
	// Output:
	// allowed: false since namespace "new" is not known yet
	// Deny DataStoreAcrossTiers
}

// named is a custom rule: every workload says in a label who owns it.
type named struct{}

func (named) Name() v1alpha1.RuleName                       { return "OwnerNamed" }
func (named) Class() policy.Class                           { return policy.ChangeControl }
func (named) Demand(*policy.PreparedRequest) *policy.Demand { return nil }
func (named) Judge(c *policy.PreparedRequest, _ *policy.Judgement) []policy.Finding {
	if len(c.References()) == 0 || c.Request().Operation != policy.Create {
		return nil
	}
	return []policy.Finding{{Rule: "OwnerNamed", Action: v1alpha1.ActionWarn, Path: "metadata.labels", Message: "do not say whose this is"}}
}

// An evaluator can be given further rules, or only some.
func ExampleNewEvaluator() {
	e := policy.NewEvaluator(append(policy.Rules(), named{})...)
	d, err := e.Evaluate(podIn("dev"), policy.NewClusterView(shop()), nil)
	if err != nil {
		fmt.Println("it cannot be judged:", err)
		return
	}
	for _, f := range d.Findings {
		fmt.Println(f.Action, f.Class, f.Rule)
	}
	_, err = policy.NewEvaluator().Evaluate(podIn("dev"), policy.NewClusterView(shop()), nil)
	fmt.Println(err)
	// Output:
	// Deny environment segregation DataStoreAcrossTiers
	// Warn change control OwnerNamed
	// there are no rules to judge by
}
