package policy_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// TestAWorldIsWhole: what nobody can be asked for is not taken for what is not there. Whatever a world lacks, no request is judged by it.
func TestAWorldIsWhole(t *testing.T) {
	judge := func(w *policy.World) error {
		_, err := policy.Evaluate(*newRequest(t, newStage(t), by("dora"), documents(t, []byte(calmPod)), now()), w, nil)
		return err
	}
	if err := judge(policy.NewWorld(estate.Compile(estate.Input{}))); err != nil {
		t.Fatalf("a world with nothing in it: %v", err)
	}
	fields := reflect.TypeFor[policy.World]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		w := policy.NewWorld(estate.Compile(estate.Input{}))
		reflect.ValueOf(w).Elem().Field(i).SetZero()
		var undecided policy.UndecidedError
		if err := judge(w); !errors.As(err, &undecided) || err.Error() != fmt.Sprintf("World.%s is nil, so no request can be judged", name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	if err := judge(nil); err == nil || err.Error() != "nothing is known of the cluster" {
		t.Errorf("without a world: %v", err)
	}
}
