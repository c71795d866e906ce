package cli_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// inPipeline runs a command with the plugin on its PATH, in a repository with a manifest that crosses, and returns its output and exit status.
func inPipeline(t *testing.T, environ []string, command ...string) (folder, out string, code int) {
	t.Helper()
	folder = repository(t)
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = folder
	cmd.Env = append(append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "FIREBREAK="+filepath.Join(bin, "kubectl-firebreak")), environ...)
	text, _ := cmd.CombinedOutput()
	return folder, string(text), cmd.ProcessState.ExitCode()
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	out, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func parsed(t *testing.T, path string, into any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(raw, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The script of the GitHub Action shows what crosses beside its line, and reads no input as code.
func TestGitHubAction(t *testing.T) {
	const folder = "../../.github/actions/check/"
	var action struct {
		Inputs map[string]struct{ Description string }
		Runs   struct {
			Steps []struct {
				Uses, Run string
				Env       map[string]string
			}
		}
	}
	parsed(t, folder+"action.yml", &action)
	steps := action.Runs.Steps
	last := steps[len(steps)-1]
	if last.Run != `"$GITHUB_ACTION_PATH/check.sh"` || len(last.Env) != len(action.Inputs)+1 {
		t.Errorf("%d inputs, and %d variables for %s", len(action.Inputs), len(last.Env), last.Run)
	}
	for _, s := range steps {
		if strings.Contains(s.Run, "${{") {
			t.Errorf("what a workflow gives is read as code: %s", s.Run)
		}
		if s.Uses != "" && !strings.Contains(s.Uses, "@b7ad1dad31e06c5925ef5d2fc7ad053ef454303e") {
			t.Errorf("%s is not pinned", s.Uses)
		}
	}
	script := absolute(t, folder+"check.sh")
	with := "WITH=" + absolute(t, estate)
	for name, tc := range map[string]struct {
		environ []string
		says    string
		code    int
	}{
		"what crosses":           {[]string{with}, "::error file=shop.yaml,line=11,title=DataStoreAcrossTiers::" + tillCrosses, 1},
		"one file, as a machine": {[]string{with, "FILES=shop.yaml", "AS=system:serviceaccount:argocd:controller"}, "::error file=shop.yaml,line=11", 1},
		"no estate":              {nil, "give the estate, such as the values of the chart", 1},
		"code for a name":        {[]string{with, "FILES=$(touch"}, "no such file", 2},
		"nothing of a revision":  {[]string{with, "DIFF=HEAD"}, "git knows no commit", 2},
	} {
		if _, out, code := inPipeline(t, tc.environ, script); code != tc.code || !strings.Contains(out, tc.says) {
			t.Errorf("%s: exit %d, want %d:\n%s\nwant it to say %s", name, code, tc.code, out, tc.says)
		}
	}
}

// The hook gets the changed files as arguments.
func TestPreCommitHook(t *testing.T) {
	var hooks []struct{ ID, Entry, Language string }
	parsed(t, "../../.pre-commit-hooks.yaml", &hooks)
	if len(hooks) != 1 || hooks[0].Language != "golang" {
		t.Fatalf("%+v", hooks)
	}
	entry := append(strings.Fields(hooks[0].Entry), "--with", absolute(t, estate), "shop.yaml")
	entry[0] = absolute(t, "../../bin/"+entry[0])
	if _, out, code := inPipeline(t, nil, entry...); code != 1 || !strings.Contains(out, `shop.yaml:6: ConfigMap "till" in namespace "dev": deny`) {
		t.Errorf("exit %d: %s", code, out)
	}
}

// The job of GitLab leaves a report, says what it found, and fails with the exit status of check.
func TestGitLabJob(t *testing.T) {
	var file struct {
		Variables map[string]string
		Job       struct {
			Script    []string
			Artifacts struct{ Reports struct{ JUnit string } }
		} `json:"firebreak-check"`
	}
	parsed(t, "../../.gitlab/check.yml", &file)
	environ := []string{"FIREBREAK_WITH=" + absolute(t, estate)}
	for k, v := range file.Variables {
		environ = append(environ, k+"="+v)
	}
	folder, out, code := inPipeline(t, environ, "sh", "-ec", strings.Join(file.Job.Script, "\n"))
	if code != 1 || !strings.Contains(out, "1 denied") {
		t.Errorf("exit %d: %s", code, out)
	}
	report, err := os.ReadFile(filepath.Join(folder, file.Job.Artifacts.Reports.JUnit))
	if err != nil || !bytes.Contains(report, []byte("<failure message=")) {
		t.Errorf("%v %s", err, report)
	}
}
