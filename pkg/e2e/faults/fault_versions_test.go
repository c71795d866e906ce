package faults

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
	"github.com/firebreak-dev/firebreak/pkg/e2e/stage"
)

var ago = flag.String("before", "HEAD~20", "the commit whose server runs beside this one, and is rolled back from")

// beforeImage is what a Pod names to run the server of an older commit.
const beforeImage = "registry.example.com/firebreak-before"

// beforeBinary is where that server lies once versionFaults have built it.
func beforeBinary() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("firebreak-before-%d", os.Getpid()))
}

// versionFaults are replicas of another version.
func versionFaults() []fault {
	return []fault{
		{name: "an older version rolled out", expect: seamless, inject: older, heal: undone},
		{name: "two versions at once", expect: seamless, lasts: 4 * time.Second, inject: both, heal: undone},
	}
}

// build builds the server of the older commit from the history, once.
func (x *scene) build() error {
	if _, err := os.Stat(beforeBinary()); err == nil {
		return nil
	}
	tree := filepath.Join(x.t.TempDir(), "before")
	git := func(args ...string) error {
		if out, err := exec.CommandContext(x.t.Context(), "git", append([]string{"-C", x.Root}, args...)...).CombinedOutput(); err != nil {
			return fmt.Errorf("git %v: %w: %s", args, err, out)
		}
		return nil
	}
	if err := git("worktree", "add", "--detach", tree, *ago); err != nil {
		return err
	}
	build := exec.CommandContext(x.t.Context(), "go", "build", "-trimpath", "-o", beforeBinary(), "./cmd/firebreak")
	build.Dir, build.Env = tree, append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("build %s: %w: %s", *ago, err, out)
	}
	return errors.Join(err, git("worktree", "remove", "--force", tree))
}

func (x *scene) rolled() error {
	return x.deployment("rollout", "status", "deployment/firebreak", "--timeout=120s")
}

// older rolls the older version out; healed, it is rolled back to this one.
func older(x *scene) error {
	if err := x.setOlder(); err != nil {
		return err
	}
	return x.rolled()
}

func (x *scene) setOlder() error {
	if err := x.build(); err != nil {
		return err
	}
	x.later(x.rolled)
	x.later(func() error { return x.deployment("rollout", "undo", "deployment/firebreak") })
	return x.deployment("set", "image", "deployment/firebreak", "firebreak="+beforeImage+":1")
}

// both stops the rollout halfway, when the older version has a replica.
func both(x *scene) error {
	if err := x.setOlder(); err != nil {
		return err
	}
	await.NoError(x.t, "a replica of the older version is ready", func() error {
		out, err := x.Kubectl(x.t.Context(), x.AdminConfig(), "get", "pods", "-n", stage.Namespace, "-o",
			`jsonpath={range .items[*]}{.spec.containers[0].image} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}`)
		if err != nil {
			return err
		}
		if !strings.Contains(out, beforeImage+":1 True") {
			return errors.New(out)
		}
		return nil
	})
	x.later(func() error { return x.deployment("rollout", "resume", "deployment/firebreak") })
	return x.deployment("rollout", "pause", "deployment/firebreak")
}
