package controlplane

import (
	"errors"
	"io"
	"maps"
	"slices"
	"sync"
	"time"
)

// errStopped is the error of a stopped control plane.
var errStopped = errors.New("the control plane is stopped")

// stopGrace is how long a component may take to end by itself. Nobody needs its data afterwards.
const stopGrace = 3 * time.Second

// Stop stops the Pod runners and the components, the last started first, and removes the scratch folder. It returns an error for
// components that had ended before. A second call does nothing and returns the same.
func (c *ControlPlane) Stop() error {
	c.stopOnce.Do(func() { c.stopErr = c.stop() })
	return c.stopErr
}

func (c *ControlPlane) stop() error {
	c.mu.Lock()
	c.stopping = true
	processes, runners := slices.Clone(c.processes), maps.Clone(c.runners)
	c.mu.Unlock()

	for _, r := range runners {
		r.shutDown()
	}
	var errs []error
	for _, p := range processes {
		if p.hasExited() {
			errs = append(errs, p.failure())
		}
	}
	for i := len(processes) - 1; i >= 0; i-- {
		errs = append(errs, processes[i].terminate(stopGrace))
	}
	if c.network != nil {
		errs = append(errs, c.network.close())
	}
	for _, a := range []*address{c.address, c.nodeAddress} {
		if a != nil {
			errs = append(errs, a.release())
		}
	}
	if c.spawner != nil {
		c.spawner.close()
	}
	if c.scratch != nil && !c.options.KeepDir {
		errs = append(errs, c.scratch.remove())
	}
	return errors.Join(errs...)
}

// lockedWriter lets several components write to one writer.
type lockedWriter struct {
	mu sync.Mutex
	to io.Writer
}

func (w *lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(b)
}
