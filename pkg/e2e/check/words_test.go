package check

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

// If two persons must lift a freeze, neither of them can delete it, and one Lift is not enough.
func TestTwoPersonsLiftAFreeze(t *testing.T) {
	must := func(person string, args ...string) string {
		t.Helper()
		out, err := plugin(t, person, args...)
		if err != nil {
			t.Fatalf("%s %v: %v %s", person, args, err, out)
		}
		return out
	}
	exists := func() bool {
		out, err := cluster.Kubectl(t.Context(), cluster.AdminConfig(), "get", "changefreeze", "christmas", "--ignore-not-found", "-o", "name")
		return err == nil && strings.Contains(out, "christmas")
	}
	must(stage.SRE, "freeze", "staging", "--name", "christmas", "--reason", "Christmas trading", "--two-persons")
	if out, err := cluster.Kubectl(t.Context(), cluster.UserConfig(stage.SRE), "delete", "changefreeze", "christmas"); err == nil || !strings.Contains(out, "this freeze is lifted by two persons, not by deleting it") {
		t.Fatalf("deleted: %v %s", err, out)
	}
	for range 2 {
		if out := must(stage.SRE, "unfreeze", "christmas"); !strings.Contains(out, "it takes two persons") {
			t.Errorf("he is told %q", out)
		}
	}
	time.Sleep(5 * time.Second) // Firebreak looks at approvals twice
	if !exists() {
		t.Fatal("one person has lifted it")
	}
	must(stage.SecondSRE, "unfreeze", "christmas")
	await.NoError(t, "lift it", func() error {
		if exists() {
			return errors.New("it is still there")
		}
		return nil
	})
}

// only returns the name of the only execution of a window.
func only(t *testing.T, people *fixture.People, w *v1alpha1.ChangeWindow) string {
	t.Helper()
	used, err := people.Executions(t.Context(), w)
	if err != nil || len(used) != 1 {
		t.Fatalf("%d executions: %v", len(used), err)
	}
	return used[0].Name
}

// An execution that was not really used is released by a person other than its user. The record of it stays.
func TestAnExecutionIsGivenBack(t *testing.T) {
	people := fixture.Everybody(t, cluster)
	w, err := people.Approved(t.Context(), "give-back", "give-back-", 1)
	if err != nil {
		t.Fatal(err)
	}
	job := func(name string) error { return people.SRE.Create(t.Context(), fixture.Job(name)) }
	if err := job("give-back-1"); err != nil {
		t.Fatal(err)
	}
	if err := job("give-back-2"); err == nil || !strings.Contains(err.Error(), "ExecutionsExhausted") {
		t.Fatalf("the second: %v", err)
	}
	used := only(t, people, w)
	if out, err := plugin(t, stage.SRE, "release", used); err == nil || !strings.Contains(out, "you used execution "+used+" yourself, or requested its window; another member") {
		t.Fatalf("who used it gives it back to himself: %v %s", err, out)
	}
	if out, err := plugin(t, stage.SecondSRE, "release", used); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	await.NoError(t, "give it back", func() error { return job("give-back-2") })
	if err := job("give-back-3"); err == nil || !strings.Contains(err.Error(), "ExecutionsExhausted") {
		t.Fatalf("a third: %v", err)
	}
	log, err := plugin(t, stage.SRE, "log", "--since", "10m", "-n", "payments")
	if err != nil || !strings.Contains(log, "Released") || !strings.Contains(log, "job/give-back-1") || !strings.Contains(log, "job/give-back-2") {
		t.Errorf("the log: %v %s", err, log)
	}
}
