package fence_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-dev/firebreak/pkg/fence"
)

// known returns the expression by which a policy knows names.
func known(t *testing.T, p *unstructured.Unstructured) string {
	t.Helper()
	variables, _, err := unstructured.NestedSlice(p.Object, "spec", "variables")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range variables {
		if m := v.(map[string]any); m["name"] == "known" {
			return fmt.Sprint(m["expression"])
		}
	}
	return ""
}

// In files the names stand in the policies, which take no parameters. What depends on windows is left out.
func TestTheFenceInFiles(t *testing.T) {
	objects, left, err := fence.Static(input(nil, "orders.prod.example.com"))
	if err != nil || left != 0 || len(objects) != 4 {
		t.Fatalf("%d objects, %d left: %v", len(objects), left, err)
	}
	for i, want := range []string{
		"{'host.orders.prod.example.com': 'production', 'ns.firebreak-system': 'Shared', 'ns.kube-system': 'Shared', 'ns.payments': 'Production'}",
		"{'env.payments': 'production'}",
	} {
		p, b := objects[2*i], objects[2*i+1]
		if got := known(t, p); got != want {
			t.Errorf("%s knows %s\nwant %s", p.GetName(), got, want)
		}
		spec := b.Object["spec"].(map[string]any)
		if p.Object["spec"].(map[string]any)["paramKind"] != nil || spec["paramRef"] != nil || spec["policyName"] != p.GetName() {
			t.Errorf("%s takes parameters: %v", p.GetName(), spec)
		}
	}
}

// What is too much for a file is counted; what says where production is stays.
func TestTooManyNamesForAFile(t *testing.T) {
	var hosts []string
	for i := range fence.MaxStatic + 7 {
		hosts = append(hosts, fmt.Sprintf("db-%d.prod.example.com", i))
	}
	objects, left, err := fence.Static(input(nil, hosts...))
	if err != nil || left != 7 {
		t.Fatalf("%d left: %v", left, err)
	}
	if got := known(t, objects[0]); strings.Count(got, "'host.") != fence.MaxStatic || !strings.Contains(got, "'ns.payments': 'Production'") {
		t.Errorf("it knows %d names: %.200s", strings.Count(got, "'host."), got)
	}
}
