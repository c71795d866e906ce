package faults

import (
	"fmt"
	"io"
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

// starve lets the kernel refuse each replica more memory than it has, as a limit would that is reached, and sends large reviews until
// each has ended. The kubelet starts them again, with as much memory as before.
func starve(x *scene) error {
	before := map[string]int{}
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
	if err := bodies("", review)(x); err != nil {
		return err
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
