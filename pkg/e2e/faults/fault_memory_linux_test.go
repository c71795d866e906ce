package faults

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firebreak-dev/firebreak/pkg/e2e/await"
)

// memoryFaults take memory away.
func memoryFaults() []fault {
	return []fault{
		{name: "memory limit reached in every replica", expect: fails, lasts: 2 * time.Second, inject: starve, heal: undone},
	}
}

// starve lets the kernel refuse each replica, begun anew, more memory than it has, as a limit would that is reached, and sends large reviews until
// each has ended. The kubelet starts them again, with as much memory as before.
func starve(x *scene) error {
	// What floods have made room for needs no more from the kernel.
	if err := killing(replicas)(x); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(x.t.Context(), time.Minute)
	defer cancel()
	if err := x.Pods.WaitReady(ctx, replicas); err != nil {
		return err
	}
	before := map[string]int{}
	x.later(func() error { return x.starved(before) })
	for _, p := range x.Pods.Pods() {
		now, err := dataOf(p.PID)
		if err != nil {
			return err
		}
		limit := now + 8<<20
		if err := unix.Prlimit(p.PID, unix.RLIMIT_DATA, &unix.Rlimit{Cur: limit, Max: limit}, nil); err != nil {
			return fmt.Errorf("limit %s: %w", p.Name, err)
		}
		before[p.Name] = p.Restarts
	}
	// Straight to each replica: the API server may have connections to some only.
	const size = 6 << 20
	review := func() io.Reader {
		return io.MultiReader(strings.NewReader(begun), io.LimitReader(blanks{}, size), strings.NewReader(`"}}}`))
	}
	for _, p := range x.Pods.Pods() {
		c := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: anyone()}}
		x.during(4, func(ctx context.Context) {
			if response, err := post(ctx, &c, p.IP, "", review()); err == nil {
				_ = response.Body.Close() // what it says about nothing does not matter
			}
		})
	}
	await.NoError(x.t, "each replica has reached its limit", func() error {
		for _, p := range x.Pods.Pods() {
			if n, ok := before[p.Name]; ok && p.Restarts == n {
				return fmt.Errorf("%s has not ended", p.Name)
			}
		}
		return nil
	})
	return nil
}

// starved looks into the logs for the reason why the replicas have ended.
func (x *scene) starved(replicas map[string]int) error {
	for _, p := range x.Pods.Pods() {
		if _, ok := replicas[p.Name]; !ok {
			continue
		}
		text, err := os.ReadFile(p.Log)
		if err != nil {
			return fmt.Errorf("read the log of %s: %w", p.Name, err)
		}
		if !bytes.Contains(text, []byte("out of memory")) && !bytes.Contains(text, []byte("cannot allocate memory")) {
			return fmt.Errorf("%s has ended for another reason", p.Name)
		}
	}
	return nil
}

// dataOf returns how much memory of its own a process has, in bytes, as the limit counts it.
func dataOf(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("look at the memory of %d: %w", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		var kib uint64
		if n, _ := fmt.Sscanf(line, "VmData: %d kB", &kib); n == 1 {
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("the memory of %d is not told", pid)
}
