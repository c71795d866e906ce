package firewall_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/firewall"
)

// named returns a plan of a cluster that serves Cilium's policies.
func named(t *testing.T, c *cluster) *firewall.Plan {
	t.Helper()
	in := c.input()
	in.Cilium = true
	return firewall.Compile(in)
}

// opens returns the names that a namespace's policy opens.
func opens(t *testing.T, p *firewall.Plan, namespace string) string {
	t.Helper()
	n := p.Names(namespace)
	if n == nil {
		return "nothing"
	}
	egress, _, err := unstructured.NestedSlice(n.Object.Object, "spec", "egress")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, rule := range egress {
		list, _, err := unstructured.NestedSlice(rule.(map[string]any), "toFQDNs")
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range list {
			for k, v := range one.(map[string]any) {
				out = append(out, fmt.Sprintf("%s=%s", k, v))
			}
		}
	}
	return strings.Join(out, " ")
}

func TestNames(t *testing.T) {
	c := story(t, "story")
	c.DataStores["wide"] = v1alpha1.DataStoreSpec{Environment: "production", Hosts: []string{"*.prod.rds.example.com"}}
	c.DataStores["both"] = v1alpha1.DataStoreSpec{Environment: "production", Hosts: []string{"both.example.com"}}
	c.DataStores["both-dev"] = v1alpha1.DataStoreSpec{Environment: "development", Hosts: []string{"both.example.com", "only.dev.example.com"}}
	p := named(t, c)
	for ns, want := range map[string]string{
		"prod":        "matchPattern=*.prod.rds.example.com matchName=cache.prod.example.com matchName=orders.prod.db.example.com",
		"staging":     "matchName=proxy.example.com", // the gateway that lists it
		"dev":         "nothing",                     // it decides itself what its names resolve to
		"ingress":     "nothing",                     // Shared, so nothing is closed to it
		"kube-system": "nothing",
		"none":        "nothing",
	} {
		if got := opens(t, p, ns); got != want {
			t.Errorf("%s: %s, want %s", ns, got, want)
		}
	}
	for _, note := range p.Notes() {
		if strings.Contains(note, "proxy.example.com") {
			t.Errorf("it says %q, although the name is opened", note)
		}
	}
	if without := plan(t, "story").Bytes(); p.Bytes() <= without {
		t.Errorf("%d bytes, and %d without names: they are not counted", p.Bytes(), without)
	}
	if got := opens(t, plan(t, "story"), "prod"); got != "nothing" {
		t.Errorf("without Cilium: %s", got)
	}
}

// Where no range is closed, every address is open, whatever its name.
func TestNamesNeedRanges(t *testing.T) {
	c := story(t, "story")
	for name, d := range c.DataStores {
		d.CIDRs, d.Hosts = nil, slices.DeleteFunc(d.Hosts, func(h string) bool { return strings.Count(h, ".") == 3 && !strings.Contains(h, "e") })
		c.DataStores[name] = d
	}
	p := named(t, c)
	for _, ns := range p.Namespaces() {
		if got := opens(t, p, ns); got != "nothing" {
			t.Errorf("%s: %s", ns, got)
		}
	}
}

func TestTooManyNames(t *testing.T) {
	c := story(t, "story")
	var hosts []string
	for i := range firewall.MostNames + 5 {
		hosts = append(hosts, fmt.Sprintf("h%05d.prod.db.example.com", i))
	}
	c.DataStores = map[string]v1alpha1.DataStoreSpec{"orders": {Environment: "production", Hosts: hosts}, "dev": {Environment: "development", CIDRs: []string{"10.20.5.0/24"}}}
	p := named(t, c)
	if got := strings.Count(opens(t, p, "prod"), "="); got != firewall.MostNames {
		t.Errorf("%d names", got)
	}
	want := `1005 names would be opened to namespaces of tier Production, and a policy of Cilium's opens at most 1000: those after "h00999.prod.db.example.com" are not; what they resolve to belongs into spec.cidrs.`
	if notes := p.Notes(); !slices.Contains(notes, want) {
		t.Errorf("notes %q, want %q among them", notes, want)
	}
}

func TestCompareNames(t *testing.T) {
	p := named(t, story(t, "story"))
	stored := func(ns string) *unstructured.Unstructured { return p.Names(ns).Object.DeepCopy() }
	wider := stored("prod")
	wider.Object["specs"] = []any{map[string]any{"endpointSelector": map[string]any{}, "egress": []any{map[string]any{"toEntities": []any{"all"}}}}}
	theirs := stored("staging")
	theirs.SetLabels(nil)
	stale := stored("prod")
	stale.SetNamespace("dev")
	for _, c := range []struct {
		what   string
		stored []*unstructured.Unstructured
		want   string
	}{
		{"nothing stored", nil, "+3 ~0 -0 foreign 0"}, // prod, prod-eu, staging
		{"all as planned", []*unstructured.Unstructured{stored("prod"), stored("prod-eu"), stored("staging")}, "+0 ~0 -0 foreign 0"},
		{"a further spec that opens everything", []*unstructured.Unstructured{wider, stored("prod-eu"), stored("staging")}, "+0 ~1 -0 foreign 0"},
		{"another's of the name", []*unstructured.Unstructured{stored("prod"), stored("prod-eu"), theirs}, "+0 ~0 -0 foreign 1"},
		{"one too many", []*unstructured.Unstructured{stale, stored("prod"), stored("prod-eu"), stored("staging")}, "+0 ~0 -1 foreign 0"},
	} {
		d := p.CompareNames(c.stored)
		if got := fmt.Sprintf("+%d ~%d -%d foreign %d", len(d.Add), len(d.Change), len(d.Remove), len(d.Foreign)); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}
