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
	// runTimeout ends a run that hangs; it takes some minutes.
	runTimeout = "45m"
	// stopGrace is what the tests get to clean up when this is interrupted.
	stopGrace = 30 * time.Second
)

// e2eFlags tell the tests about the cluster. Nothing of a cloud is there, and nothing can be dumped of nodes.
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
		// The node that Firebreak's own Pods run on takes no others, which is no reason to wait for it.
		"--non-blocking-taints=" + controlplane.RunnerLabel,
	}, nil
}

// runSpecs runs the specs, several at a time and [Serial] ones alone. A spec that fails is run a second time: on a busy
// machine some do not wait long enough.
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
		return nil, errors.Join(err, ran) // what failed is in the report, unless there is none
	}
	return result, ctx.Err()
}

// focus is a pattern that matches these specs and no others.
func focus(specs []string) string {
	quoted := make([]string, len(specs))
	for i, spec := range specs {
		quoted[i] = regexp.QuoteMeta(spec)
	}
	return "^Kubernetes e2e suite (" + strings.Join(quoted, "|") + ")$"
}

// execute runs a program, which may clean up when ctx ends, and writes its output to a file.
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

// specReport is what we read of one spec in Ginkgo's JSON report.
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
