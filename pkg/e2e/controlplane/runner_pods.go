package controlplane

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// RunningPod is a Pod that a PodRunner runs, at one moment.
type RunningPod struct {
	Name string
	// IP is the loopback address where the Pod's processes listen. It can be dialled.
	IP string
	// Ready is true if the Pod takes connections. A terminating Pod takes none.
	Ready, Terminating bool
	// PID is the process of the Pod's first container. It is 0 if there is none at the moment.
	PID int
	// Restarts counts how often the first container was started again.
	Restarts int
	// Log is the file with the first container's output since the Pod was created.
	Log string
}

// Address returns the host and port of the balancer. It sends each connection to a ready Pod, picked at random, and resets it if
// there is none. It listens from the start.
func (r *PodRunner) Address() string { return r.balancer.address() }

// WaitReady waits until at least n Pods are ready and the API reports them so.
func (r *PodRunner) WaitReady(ctx context.Context, n int) error {
	return poll(ctx, fmt.Sprintf("%d ready Pods of deployment %s", n, r.options.Deployment), func(context.Context) error {
		ready := 0
		for _, w := range r.list() {
			if w.isReported() {
				ready++
			}
		}
		if ready < n {
			return fmt.Errorf("%d are ready:\n%s", ready, r.describe())
		}
		return nil
	})
}

// describe returns what a person needs to see why Pods are not ready.
func (r *PodRunner) describe() string {
	var text strings.Builder
	for _, w := range r.list() {
		fmt.Fprintf(&text, "Pod %s: %s\n", w.pod.Name, w.problem())
	}
	return text.String() + r.tails(10)
}

// Kill sends SIGKILL to the Pod's processes. They are started again, as a kubelet restarts a
// container.
func (r *PodRunner) Kill(podName string) error {
	for _, w := range r.list() {
		if w.pod.Name == podName {
			return w.crash()
		}
	}
	return fmt.Errorf("no Pod %q is running", podName)
}

// Pods returns the Pods by name, including those that are starting or terminating.
func (r *PodRunner) Pods() []RunningPod {
	var pods []RunningPod
	for _, w := range r.list() {
		pods = append(pods, w.summary())
	}
	return pods
}

// Logs returns the output of all Pods that have run, each after a line with its name.
func (r *PodRunner) Logs() string { return r.tails(1 << 20) }

func (r *PodRunner) tails(lines int) string {
	paths, err := filepath.Glob(filepath.Join(r.logDir(), "*", "*.log"))
	if err != nil {
		return err.Error()
	}
	var text strings.Builder
	for _, path := range paths {
		name, _ := filepath.Rel(r.logDir(), path)
		fmt.Fprintf(&text, "--- %s\n%s\n", name, tail(path, lines))
	}
	return text.String()
}

func (r *PodRunner) logDir() string {
	return r.plane.scratch.path("logs", r.options.NodeName)
}

// list returns the workers by Pod name.
func (r *PodRunner) list() []*podWorker {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.workers), func(a, b *podWorker) int {
		return strings.Compare(a.pod.Name, b.pod.Name)
	})
}

// backends returns the addresses to which the balancer may send a connection.
func (r *PodRunner) backends() []string {
	var targets []string
	for _, w := range r.list() {
		if target, ok := w.backend(r.options.PortName); ok {
			targets = append(targets, target)
		}
	}
	r.mu.Lock()
	divert := r.divert
	r.mu.Unlock()
	if divert != nil {
		return divert(targets)
	}
	return targets
}

// Divert lets the balancer send connections where to says, which gets the addresses of the ready Pods. Connections that are open are
// closed, so that nobody goes on with whom they talked to before. With nil it sends them to the ready Pods again.
func (r *PodRunner) Divert(to func(ready []string) []string) {
	r.mu.Lock()
	r.divert = to
	r.mu.Unlock()
	r.balancer.conns.cut()
}

// Link returns the link between a Pod and the API server.
func (r *PodRunner) Link(podName string) (*Link, error) {
	for _, w := range r.list() {
		if w.pod.Name != podName {
			continue
		}
		if link := w.linkToAPI(); link != nil {
			return link, nil
		}
	}
	return nil, fmt.Errorf("no link of Pod %q", podName)
}
