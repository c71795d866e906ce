package estate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/estate"
)

// sides is a cluster of two environments with 75 namespaces of production.
func sides() estate.Input {
	in := estate.Input{
		Environments: []v1alpha1.Environment{
			{ObjectMeta: metav1.ObjectMeta{Name: "production"}, Spec: v1alpha1.EnvironmentSpec{
				Tier: v1alpha1.TierProduction, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{"prod-*"}},
				Identities: v1alpha1.IdentityMembers{Groups: []v1alpha1.Glob{"sre"}},
			}},
			{ObjectMeta: metav1.ObjectMeta{Name: "staging"}, Spec: v1alpha1.EnvironmentSpec{
				Tier: v1alpha1.TierNonProduction, Namespaces: v1alpha1.NamespaceMembers{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"env": "staging"}}},
			}},
		},
		DataStores: []v1alpha1.DataStore{{ObjectMeta: metav1.ObjectMeta{Name: "orders"}, Spec: v1alpha1.DataStoreSpec{Environment: "production", Hosts: []string{"a.example.com", "b.example.com"}}}},
		Namespaces: map[string]map[string]string{"try": {"env": "staging"}, "free": nil},
	}
	for i := range 75 {
		in.Namespaces[fmt.Sprintf("prod-%02d", i)] = nil
	}
	return in
}

func TestConsequences(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(*estate.Input)
		want string
	}{
		"nothing": {func(*estate.Input) {}, ""},
		"identities": {func(in *estate.Input) {
			for i := range 40 {
				in.Environments[0].Spec.Identities.Users = append(in.Environments[0].Spec.Identities.Users, v1alpha1.Glob(fmt.Sprintf("user-%02d", i)))
			}
		}, "75 namespaces of production gain 40 identities: user user-00, user user-01, user user-02, user user-03, user user-04, user user-05, user user-06, user user-07 and 32 more"},
		"one identity less": {func(in *estate.Input) { in.Environments[0].Spec.Identities.Groups = nil }, "75 namespaces of production lose 1 identity: group sre"},
		"a pattern":         {func(in *estate.Input) { in.Environments[0].Spec.Namespaces.Names = []v1alpha1.Glob{"prod-*", "free"} }, "production gains 1 namespace: free"},
		"a label":           {func(in *estate.Input) { in.Namespaces["try"] = nil }, "staging loses 1 namespace: try"},
		"a tier": {func(in *estate.Input) { in.Environments[0].Spec.Tier = v1alpha1.TierNonProduction },
			"environment production, with 75 namespaces, 1 identity and 1 data store, turns from tier Production to NonProduction"},
		"an environment less": {func(in *estate.Input) { in.Environments = in.Environments[1:] },
			"environment production is gone: 75 namespaces, 1 identity and 1 data store no longer belong to it"},
		"an environment more": {func(in *estate.Input) {
			in.Environments = append(in.Environments, v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "shared"}, Spec: v1alpha1.EnvironmentSpec{Tier: v1alpha1.TierShared, Namespaces: v1alpha1.NamespaceMembers{Names: []v1alpha1.Glob{"free"}}}})
		}, "environment shared is new, of tier Shared, with 1 namespace, 0 identities and 0 data stores"},
		"a store that moves": {func(in *estate.Input) { in.DataStores[0].Spec.Environment = "staging" },
			"production loses 1 data store: orders; production loses 2 hosts: a.example.com, b.example.com; staging gains 1 data store: orders; staging gains 2 hosts: a.example.com, b.example.com"},
		"a host less": {func(in *estate.Input) { in.DataStores[0].Spec.Hosts = []string{"a.example.com"} }, "production loses 1 host: b.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			after := sides()
			after.Environments, after.DataStores = slices.Clone(after.Environments), slices.Clone(after.DataStores)
			tc.edit(&after)
			if got := strings.Join(estate.Consequences(sides(), after), "; "); got != tc.want {
				t.Errorf("%s\nwant %s", got, tc.want)
			}
		})
	}
}
