package policy_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// TestAViewIsWhole checks that no request is judged by a view that lacks a look-up: it would be taken for an object that is missing.
func TestAViewIsWhole(t *testing.T) {
	judge := func(w *policy.ClusterView) error {
		_, err := policy.Evaluate(*newRequest(t, newStage(t), by("dora"), documents(t, []byte(calmPod)), now()), w, nil)
		return err
	}
	if err := judge(policy.NewClusterView(estate.Compile(estate.Input{}))); err != nil {
		t.Fatalf("a view with nothing in it: %v", err)
	}
	fields := reflect.TypeFor[policy.ClusterView]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		w := policy.NewClusterView(estate.Compile(estate.Input{}))
		reflect.ValueOf(w).Elem().Field(i).SetZero()
		var undecided policy.UndecidedError
		if err := judge(w); !errors.As(err, &undecided) || err.Error() != fmt.Sprintf("ClusterView.%s is nil, so no request can be judged", name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	if err := judge(nil); err == nil || err.Error() != "nothing is known of the cluster" {
		t.Errorf("without a view: %v", err)
	}
}
