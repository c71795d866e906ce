package seethrough

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/fixture"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

// A newcomer's first hour, after the installation: a denial, what it means, a window, somebody else's approval, the run, the record, and a look at Firebreak
// itself. Nothing but what each step prints is used for the next.
func TestANewcomersHour(t *testing.T) {
	raw, err := yaml.Marshal(fixture.Job("hour"))
	if err != nil {
		t.Fatal(err)
	}
	job := write(t, string(raw))
	sre := func(args ...string) (string, error) {
		return the.Kubectl(t.Context(), the.UserConfig(stage.SRE), args...)
	}
	said, err := sre("create", "-f", job)
	id := policy.DenialIDIn(said)
	if err == nil || id == "" {
		t.Fatalf("%v: the first run is not denied with an id: %s", err, said)
	}
	var told string
	await.True(t, "the id is resolved", func() bool {
		var code int
		told, code = plugin(t, stage.SRE, "explain", id, "-n", fixture.Production)
		return code == 0
	})
	// The way that it names, with the manifest in its place.
	command := regexp.MustCompile(`(?m)^  - request a window: kubectl firebreak (request -f MANIFEST -n \S+)$`).FindStringSubmatch(told)
	if command == nil {
		t.Fatalf("it names no way:\n%s", told)
	}
	args := strings.Fields(strings.Replace(command[1], "MANIFEST", job, 1))
	out, code := plugin(t, stage.SRE, append(args, "--environment", "production", "--reason", "the first hour")...)
	approve := regexp.MustCompile(`kubectl firebreak (approve \S+ -n \S+)`).FindStringSubmatch(out)
	if code != 0 || approve == nil {
		t.Fatalf("exit %d, or it does not say how it is approved:\n%s", code, out)
	}
	if out, code := plugin(t, stage.SecondSRE, append(strings.Fields(approve[1]), "--yes")...); code != 0 {
		t.Fatalf("exit %d:\n%s", code, out)
	}
	await.NoError(t, "it runs", func() error { _, err := sre("create", "-f", job); return err })
	out, code = plugin(t, stage.SRE, "log", "--since", "1h", "-n", fixture.Production)
	if contains(t, out, "payments/job/hour", "the first hour", stage.SecondSRE); code != 0 {
		t.Errorf("exit %d:\n%s", code, out)
	}
	if out, _ := plugin(t, doc, "doctor"); len(levels(out, "bad")) > 0 {
		t.Errorf("something is bad:\n%s", out)
	}
}

// An exemption is written, requested, approved by somebody else, and created as it was approved.
func TestExempt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "exemption.yaml")
	args := []string{"exempt", "report", "--rule", "DataStoreAcrossTiers", "--object", "Job.batch/across-*", "--in-namespace", "dev", "--for-user", stage.Developer, "--for", "1h",
		"--environment", "production", "--for-cluster", stage.Cluster, "--reason", "until the replica is there", "--out", file}
	out, code := plugin(t, stage.SRE, args...)
	approve := regexp.MustCompile(`kubectl firebreak (approve \S+ -n \S+)`).FindStringSubmatch(out)
	if contains(t, out, "Once the window is approved: kubectl create -f "+file+"\n"); code != 0 || approve == nil {
		t.Fatalf("exit %d:\n%s", code, out)
	}
	if _, err := the.Kubectl(t.Context(), the.UserConfig(stage.SRE), "create", "-f", file); err == nil {
		t.Fatal("it was created before anybody approved it")
	}
	if out, code := plugin(t, stage.SecondSRE, append(strings.Fields(approve[1]), "--yes")...); code != 0 {
		t.Fatalf("exit %d:\n%s", code, out)
	}
	await.NoError(t, "it is created", func() error {
		_, err := the.Kubectl(t.Context(), the.UserConfig(stage.SRE), "create", "-f", file)
		return err
	})
	await.True(t, "it counts", func() bool {
		_, err := the.KubectlWith(t.Context(), the.UserConfig(stage.Developer), strings.Replace(across, "name: across", "name: across-once", 1), "create", "-f", "-")
		return err == nil
	})
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	if out, code := plugin(t, stage.SRE, args...); code != 2 || !strings.Contains(out, "file exists") {
		t.Errorf("exit %d, and a file is written over:\n%s", code, out)
	}
	args[3] = "NoSuchRule"
	if out, code := plugin(t, stage.SRE, args...); code != 2 || !strings.Contains(out, "--rule NoSuchRule: there is no such rule; there are IdentityOutsideEnvironment, ") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}
