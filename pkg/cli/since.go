package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// atRevision returns the documents that files and folders held at a revision of the git repository that they lie in. What was not there held nothing.
func atRevision(ctx context.Context, revision string, paths []string) ([]document, error) {
	if strings.HasPrefix(revision, "-") {
		return nil, fmt.Errorf("--diff: %q is not a revision", revision)
	}
	var out []document
	for _, p := range paths {
		if p == "-" {
			return nil, fmt.Errorf("--diff compares files; standard input has no revision")
		}
		folder, name := filepath.Dir(p), filepath.Base(p)
		if info, err := os.Stat(p); err == nil && info.IsDir() {
			folder, name = p, "."
		}
		if _, err := git(ctx, folder, "rev-parse", "--verify", "--quiet", revision+"^{commit}"); err != nil {
			return nil, fmt.Errorf("--diff: git knows no commit %q: %w", revision, err)
		}
		list, err := git(ctx, folder, "ls-tree", "-r", "-z", "--name-only", revision, "--", name)
		if err != nil {
			return nil, fmt.Errorf("--diff: %w", err)
		}
		for file := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
			if file == "" || file != name && !manifestName(file) {
				continue
			}
			text, err := git(ctx, folder, "show", revision+":./"+file)
			if err != nil {
				return nil, fmt.Errorf("--diff: %w", err)
			}
			docs, err := read(filepath.Join(folder, file), bytes.NewReader(text))
			if err != nil {
				return nil, err
			}
			out = append(out, docs...)
		}
	}
	return out, nil
}

func git(ctx context.Context, folder string, args ...string) ([]byte, error) {
	var out, says bytes.Buffer
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", folder}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &says
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(says.String()))
	}
	return out.Bytes(), nil
}

// sin identifies a finding, wherever it stands in its file.
type sin struct{ kind, namespace, name, rule, path, value, target, message string }

func sinsOf(r *Result) []sin {
	var out []sin
	for _, f := range r.Findings {
		s := sin{r.Kind, r.Namespace, r.Name, f.Rule, f.Path, f.Value, f.Target, ""}
		if f.Value == "" {
			s.message = f.Message // nothing else tells what it is about, as where the value came out of a Secret
		}
		out = append(out, s)
	}
	return out
}

// onlyNew takes the findings out of a result that were there before, and decides it by the rest. It leaves alone what could not be judged.
func (r *Result) onlyNew(before map[sin]bool) {
	if r.Decision == "undecided" {
		return
	}
	var left []ResultFinding
	for i, s := range sinsOf(r) {
		if !before[s] {
			left = append(left, r.Findings[i])
		}
	}
	if len(left) == len(r.Findings) {
		return
	}
	r.Findings, r.Decision, r.Allowed = append([]ResultFinding{}, left...), "allow", true
	for _, f := range left {
		switch {
		case f.Action == "deny":
			r.Decision, r.Allowed = "deny", false
		case f.Action == "warn" && r.Allowed:
			r.Decision = "warn"
		}
	}
	if r.Allowed {
		r.Message = ""
		if len(r.Warnings) > 0 {
			r.Decision = "warn"
		}
	}
}
