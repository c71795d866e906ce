package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

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
	w := &policy.World{Estate: estate.Compile(estate.Input{Namespaces: map[string]map[string]string{"dev": nil}})}
	_, err := policy.Evaluate(req, w, nil)
	var undecided policy.UndecidedError
	if !errors.As(err, &undecided) {
		t.Errorf("%v, want it undecided", err)
	}
}
