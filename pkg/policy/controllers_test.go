package policy_test

import (
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// The chart sends the routine of controllers past the core webhook; its list must be the server's.
func TestTheChartKnowsTheSameControllers(t *testing.T) {
	raw, err := os.ReadFile("../../charts/firebreak/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var values struct{ Controllers []string }
	if err := yaml.Unmarshal(raw, &values); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(policy.Controllers(), values.Controllers); diff != "" {
		t.Errorf("values.yaml (+) differs from the server (-):\n%s", diff)
	}
}

func TestControllersAreNotShared(t *testing.T) {
	controllers := policy.Controllers()
	controllers[0] = "changed"
	if policy.Controllers()[0] == "changed" {
		t.Error("a change of a list that somebody was given changes that of others")
	}
	if !slices.IsSorted(policy.Controllers()) {
		t.Error("the list of controllers is sorted, so that a reader finds a name in it")
	}
}
