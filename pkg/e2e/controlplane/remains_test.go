package controlplane

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
)

func TestTwoAtOnceShareNothing(t *testing.T) {
	planes := make([]*ControlPlane, 2)
	var starting sync.WaitGroup
	for i := range planes {
		starting.Go(func() {
			var err error
			if planes[i], err = Start(t.Context(), Options{Log: t.Output()}); err != nil {
				t.Error(err)
			}
		})
	}
	starting.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for i, c := range planes {
		_, err := clientFor(t, c.AdminConfig()).CoreV1().ConfigMaps("default").Create(t.Context(),
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "mine"}}, metav1.CreateOptions{})
		if err != nil {
			t.Errorf("creating the same object in control plane %d: %v", i, err)
		}
	}
	for _, c := range planes {
		left := remainsOf(c)
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		checkGone(t, left)
		if err := c.Stop(); err != nil {
			t.Errorf("stopping again: %v", err)
		}
		if err := c.RestartAPIServer(t.Context()); err == nil {
			t.Error("a stopped control plane has started an API server")
		}
	}
}

func TestFailedStartLeavesNothingAndSaysWhy(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	_, err := Start(t.Context(), Options{APIServerArgs: []string{"--no-such-flag"}})
	if err == nil || !strings.Contains(err.Error(), "unknown flag: --no-such-flag") {
		t.Errorf("got %v, want what the API server says about its flag", err)
	}
	left, err := os.ReadDir(os.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		if entry.IsDir() {
			t.Errorf("%s is left", entry.Name())
		}
	}
}

func TestGroupWithCommaIsRefused(t *testing.T) {
	_, err := Start(t.Context(), Options{Users: []User{{Name: "oidc:bob", Groups: []string{"release, managers"}}}})
	if err == nil || !strings.Contains(err.Error(), `user "oidc:bob": the token file cannot hold a group with a comma`) {
		t.Errorf("got %v, want that the token file cannot hold it: the API server would see two groups", err)
	}
}

func TestKilledOwnerLeavesNothing(t *testing.T) {
	owner := exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), ownerEnv+"=1")
	owner.Stderr = t.Output()
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var left remains
	if err := json.Unmarshal(line, &left); err != nil {
		t.Fatal(err)
	}
	sweep(t)
	if !exists(left.Dir) {
		t.Error("the scratch folder of a running control plane was taken for a stale one")
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait() // it returns an error, since it was killed
	sweep(t)
	checkGone(t, left)
}

// sweep removes stale scratch folders, as every start does.
func sweep(t *testing.T) {
	t.Helper()
	next, err := newScratch()
	if err != nil {
		t.Fatal(err)
	}
	if err := next.remove(); err != nil {
		t.Error(err)
	}
}

// checkGone waits for processes that the kernel may still be ending.
func checkGone(t *testing.T, r remains) {
	t.Helper()
	if len(r.PIDs) != 5 {
		t.Errorf("there were %d processes, want 5", len(r.PIDs))
	}
	for _, pid := range r.PIDs {
		await.NoError(t, "a process to end", func() error {
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) && !isZombie(pid) {
				return errors.New("it is there")
			}
			return nil
		})
	}
	if _, err := os.Stat(r.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the scratch folder %s: %v, want that it is gone", r.Dir, err)
	}
}
