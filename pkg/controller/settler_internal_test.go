package controller

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

func TestRepeats(t *testing.T) {
	execution := func(name, key, slot string, state v1alpha1.ExecutionState) v1alpha1.ChangeExecution {
		x := v1alpha1.ChangeExecution{ObjectMeta: metav1.ObjectMeta{Name: name}}
		x.Spec.Window.UID, x.Spec.Key, x.Spec.Slot, x.Status.State = "w", key, slot, state
		return x
	}
	cases := map[string]struct {
		reason string
		all    []v1alpha1.ChangeExecution
		want   string
	}{
		"two keys":                        {"each is an execution of its own", []v1alpha1.ChangeExecution{execution("a", "1", "0", ""), execution("b", "2", "1", "")}, ""},
		"one key, two slots":              {"the higher one is released", []v1alpha1.ChangeExecution{execution("a", "1", "2", ""), execution("b", "1", "10", "")}, "b"},
		"one key, one of them given back": {"the record of a slot that was given back holds none", []v1alpha1.ChangeExecution{execution("a", "1", "0", "Released"), execution("b", "1", "1", "")}, ""},
		"one key, the lower one used":     {"the lower one stays, whatever its state", []v1alpha1.ChangeExecution{execution("a", "1", "0", "Used"), execution("b", "1", "1", "")}, "b"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			all := map[string]v1alpha1.ChangeExecution{}
			for _, x := range tc.all {
				all[x.Name] = x
			}
			got := ""
			for _, x := range repeats(all) {
				got += x.Name
			}
			if got != tc.want {
				t.Errorf("released %q, want %q: %s", got, tc.want, tc.reason)
			}
		})
	}
}
