package faults

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// faults returns all faults, in the order in which they are made.
func faults() []fault {
	return slices.Concat(replicaFaults(), backendFaults(), certificateFaults(), viewFaults(), stepFaults(), floodFaults(), memoryFaults(),
		handFaults(), versionFaults(), storageFaults(), zeroFaults())
}

func TestFaults(t *testing.T) {
	begin := time.Now()
	w, err := newWorld(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	var results []*result
	for i, f := range faults() {
		if !full() && !f.short {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			results = append(results, &result{fault: &f})
			if f.missing != "" {
				t.Skip(f.missing)
			}
			results[len(results)-1] = f.row(t, w, fmt.Sprintf("r%d", i))
		})
	}
	text := table(results)
	t.Logf("%s after the control plane was up:\n%s", time.Since(begin).Round(time.Second), text)
	if len(results) == len(faults()) {
		settled(t, w)
		keep(t, text, time.Since(begin))
	}
}

// settled waits until no execution is left that has no object.
func settled(t *testing.T, w *world) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(2 * time.Second) {
		var all v1alpha1.ChangeExecutionList
		if err := w.admin.List(t.Context(), &all, client.InNamespace(stage.Namespace)); err != nil {
			t.Fatal(err)
		}
		open := 0
		for _, x := range all.Items {
			if x.Status.State == "" {
				open++
			}
		}
		if open == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%d of %d executions are neither used nor given back", open, len(all.Items))
			return
		}
	}
}

// sorted returns the keys, the most frequent first.
func sorted(m map[string]int) []string {
	keys := slices.Sorted(maps.Keys(m))
	slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(m[b], m[a]) })
	return keys
}
