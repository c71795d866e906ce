package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// readList returns the specs of the list that match focus.
func readList(focus *regexp.Regexp) ([]string, error) {
	data, err := os.ReadFile(listPath)
	if err != nil {
		return nil, fmt.Errorf("read the list of specs, from the repository's root: %w", err)
	}
	var specs []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") && focus.MatchString(line) {
			specs = append(specs, line)
		}
	}
	if len(specs) == 0 {
		return nil, errors.New("the list has no such spec")
	}
	return specs, nil
}

// writeList writes the list, with a header that says what it is.
func writeList(version string, all int, specs []string) error {
	head := fmt.Sprintf(`# The conformance specs of Kubernetes %s that pass on a control plane with nodes that are only simulated
# (pkg/e2e/controlplane): %d of %d. The others wait for a container that really runs, or for a network between Pods.
#
# Made by: make conformance CONFORMANCEFLAGS=-find
# and then, for those that take longer: make conformance CONFORMANCEFLAGS='-find -more -patience 5m -workers 24'
`, version, len(specs), all)
	return os.WriteFile(listPath, []byte(head+strings.Join(specs, "\n")+"\n"), 0o644) //nolint:gosec // committed, so everybody may read it
}

// listed is a line of what the tests say about themselves: a place in the code, and a name.
var listed = regexp.MustCompile(`(?m)^\s+\S+:\d+: (.*)$`)

// conformanceSpecs asks the tests for their names.
func conformanceSpecs(ctx context.Context) ([]string, error) {
	out, err := exec.CommandContext(ctx, filepath.Join(toolsDir, "e2e.test"), "--list-tests").Output()
	if err != nil {
		return nil, fmt.Errorf("list the specs: %w", err)
	}
	var specs []string
	for _, match := range listed.FindAllSubmatch(out, -1) {
		if bytes.Contains(match[1], []byte("[Conformance]")) {
			specs = append(specs, string(match[1]))
		}
	}
	if len(specs) == 0 {
		return nil, errors.New("the tests list no conformance specs")
	}
	return specs, nil
}
