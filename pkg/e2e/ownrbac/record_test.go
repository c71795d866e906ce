package ownrbac

import (
	"slices"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// doesRecord freezes, and looks for the record of that.
func doesRecord(t *testing.T) func() bool {
	name := fresh("recorded")
	if _, err := the.Plugin(t.Context(), the.UserConfig(stage.SRE), "freeze", "staging", "--name", name, "--reason", "test"); err != nil {
		t.Fatal(err)
	}
	return func() bool {
		var all v1alpha1.ChangeRecordList
		err := people.Admin.List(t.Context(), &all, client.InNamespace(stage.Namespace))
		return err == nil && slices.ContainsFunc(all.Items, func(r v1alpha1.ChangeRecord) bool { return r.Spec.Object.Name == name })
	}
}
