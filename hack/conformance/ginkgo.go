package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/firebreak-dev/firebreak/pkg/e2e/controlplane"
)

const (
	// runTimeout ends a run that hangs. A run takes some minutes.
	runTimeout = "45m"
	// stopGrace is how long the tests may clean up when this program is interrupted.
	stopGrace = 30 * time.Second
)

// e2eFlags tell the tests about the cluster: it has nothing of a cloud, and its nodes have no logs to dump.
func e2eFlags(c *controlplane.ControlPlane) ([]string, error) {
	kubeconfig, err := c.Kubeconfig(c.AdminConfig(), "")
	if err != nil {
		return nil, err
	}
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--kubectl-path=" + c.Bin("kubectl"),
		"--provider=skeleton",
		"--disable-log-dump",
		"--dump-logs-on-failure=false",
		"--e2e-output-dir=" + c.Dir(),
		// The tests need not wait for the node that runs Firebreak's own Pods: it takes no others.
		"--non-blocking-taints=" + controlplane.RunnerLabel,
	}, nil
}

// runSpecs runs the specs, several at a time and [Serial] ones alone. A spec that fails is run a second time: on a busy machine
// some specs do not wait long enough.
func runSpecs(ctx context.Context, c *controlplane.ControlPlane, name string, specs []string, procs int) (*outcome, error) {
	flags, err := e2eFlags(c)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(logDir)
	if err != nil {
		return nil, err
	}
	report := filepath.Join(dir, name+".json")
	if err := os.RemoveAll(report); err != nil {
		return nil, err
	}
	args := append([]string{
		fmt.Sprintf("--procs=%d", procs), "--no-color", "--succinct", "--silence-skips", "--flake-attempts=2", "--timeout=" + runTimeout,
		"--output-dir=" + dir, "--json-report=" + name + ".json", "--focus=" + focus(specs),
		filepath.Join(toolsDir, "e2e.test"), "--",
	}, flags...)
	fmt.Printf("Running %d specs; %s tells more.\n", len(specs), filepath.Join(logDir, name+".log"))
	ran := execute(ctx, filepath.Join(dir, name+".log"), filepath.Join(toolsDir, "ginkgo"), args...)
	result, err := readReport(report, specs)
	if err != nil {
		return nil, errors.Join(err, ran) // the report says which specs failed, unless there is no report
	}
	return result, ctx.Err()
}

// focus returns a pattern that matches these specs and no others.
func focus(specs []string) string {
	quoted := make([]string, len(specs))
	for i, spec := range specs {
		quoted[i] = regexp.QuoteMeta(spec)
	}
	return "^Kubernetes e2e suite (" + strings.Join(quoted, "|") + ")$"
}

// execute runs a program and writes its output to a file. When ctx ends, the program may still clean up.
func execute(ctx context.Context, logPath, program string, args ...string) (err error) {
	log, err := os.Create(logPath)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopGrace
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w; see %s", program, err, logPath)
	}
	return nil
}

// specReport is the part of a spec in Ginkgo's JSON report that this program reads.
type specReport struct {
	ContainerHierarchyTexts    []string
	LeafNodeType, LeafNodeText string
	State                      string
	NumAttempts                int
	Failure                    struct {
		Message string
	}
}

func (r *specReport) name() string {
	return strings.Join(append(r.ContainerHierarchyTexts, r.LeafNodeText), " ")
}

func readReport(path string, specs []string) (*outcome, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read what the tests report: %w", err)
	}
	var suites []struct{ SpecReports []specReport }
	if err := json.Unmarshal(data, &suites); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	result := newOutcome(specs)
	for _, suite := range suites {
		for i := range suite.SpecReports {
			result.add(&suite.SpecReports[i])
		}
	}
	return result, nil
}
