package faults

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// replicaFaults are faults of the replicas themselves. The API server keeps its connections, so one replica of three may have none.
func replicaFaults() []fault {
	return []fault{
		{name: "no replica (scaled to 0)", short: true, each: true, expect: fails, lasts: 2 * time.Second, inject: scale(0), heal: scale(replicas)},
		{name: "one replica of three (scaled to 1)", each: true, expect: seamless, lasts: 4 * time.Second, inject: scale(1), heal: scale(replicas)},
		{name: "two replicas of three killed", expect: mayFail, lasts: 2 * time.Second, inject: killing(2)},
		{name: "all replicas killed", expect: fails, lasts: 2 * time.Second, inject: killing(replicas)},
		{name: "one replica hangs", each: true, expect: mayFail, lasts: 15 * time.Second, inject: hang(1), heal: undone},
		{name: "all replicas hang", each: true, expect: fails, lasts: 15 * time.Second, inject: hang(replicas), heal: undone},
	}
}

// scale lets Firebreak have so many replicas.
func scale(n int) func(*scene) error {
	return func(x *scene) error {
		return x.deployment("scale", "deployment/firebreak", fmt.Sprintf("--replicas=%d", n))
	}
}

// killing sends SIGKILL to so many replicas, the leading one first. They are started again.
func killing(n int) func(*scene) error {
	return func(x *scene) error {
		pods, err := x.pods()
		if err != nil {
			return err
		}
		for _, name := range pods[:n] {
			err = errors.Join(err, x.Pods.Kill(name))
		}
		return err
	}
}

// hang stops so many replicas, the leading one first, as a machine that swaps would. The kubelet would kill them after half a minute.
func hang(n int) func(*scene) error {
	return func(x *scene) error {
		pods, err := x.pods()
		if err != nil {
			return err
		}
		for _, p := range x.Pods.Pods() {
			for _, name := range pods[:n] {
				if p.Name != name {
					continue
				}
				if err := syscall.Kill(p.PID, syscall.SIGSTOP); err != nil {
					return fmt.Errorf("stop %s: %w", name, err)
				}
				x.later(func() error { return ignoreGone(syscall.Kill(p.PID, syscall.SIGCONT)) })
			}
		}
		return nil
	}
}

func ignoreGone(err error) error {
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// leader returns the name of the replica that leads, by its own metrics.
func (x *scene) leader() (string, error) {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		for _, p := range x.Pods.Pods() {
			if text, err := get(x, "http://"+p.IP+":8080/metrics"); err == nil && strings.Contains(text, `leader_election_master_status{name="firebreak"} 1`) {
				return p.Name, nil
			}
		}
		if time.Now().After(deadline) {
			return "", errors.New("no replica leads")
		}
	}
}

func get(x *scene, url string) (string, error) {
	request, err := http.NewRequestWithContext(x.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return "", fmt.Errorf("ask %s: %w", url, err)
	}
	response, err := (&http.Client{Timeout: time.Second}).Do(request)
	if err != nil {
		return "", fmt.Errorf("ask %s: %w", url, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}
