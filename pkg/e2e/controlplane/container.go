package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A crashed process is started again sooner than by a kubelet, so that tests need not wait, and with the same growing delay.
const (
	minBackoff   = 200 * time.Millisecond
	maxBackoff   = 5 * time.Second
	backoffReset = 10 * time.Second // a run this long starts the delays anew
)

// container runs one container as a process, again and again.
type container struct {
	worker *podWorker
	spec   corev1.Container
	isInit bool

	mu         sync.Mutex
	proc       *process // of the latest run, nil before the first
	startedAt  metav1.Time
	started    bool // the startup probe has passed
	ready      bool // the readiness probe passes
	restarts   int
	waiting    *corev1.ContainerStateWaiting    // set while there is no process and one is wanted
	terminated *corev1.ContainerStateTerminated // of the latest run, once it has ended
	previous   *corev1.ContainerStateTerminated // of the run before the latest
}

func newContainer(w *podWorker, spec corev1.Container, isInit bool) *container {
	c := &container{
		worker: w, spec: spec, isInit: isInit,
		waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"},
	}
	for _, before := range slices.Concat(w.pod.Status.InitContainerStatuses, w.pod.Status.ContainerStatuses) {
		if before.Name == spec.Name && before.State.Running != nil { // started by an earlier runner
			c.restarts = int(before.RestartCount) + 1
		}
	}
	return c
}

func isSidecar(spec corev1.Container) bool {
	return spec.RestartPolicy != nil && *spec.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// run keeps the container running until the Pod's time is over. It does not end the last process.
func (c *container) run() {
	backoff := minBackoff
	for c.worker.ctx.Err() == nil {
		begin := time.Now()
		if c.runOnce(c.supervise) != nil {
			sleep(c.worker.ctx, retryEvery)
			continue
		}
		if c.worker.ctx.Err() != nil || c.isDone() {
			return
		}
		if time.Since(begin) > backoffReset {
			backoff = minBackoff
		}
		c.wait("CrashLoopBackOff", fmt.Sprintf("back-off %s restarting failed container", backoff))
		sleep(c.worker.ctx, backoff)
		backoff = min(2*backoff, maxBackoff)
	}
}

// isDone reports whether the Pod's restart policy forbids a new run after the last one.
func (c *container) isDone() bool {
	switch c.worker.pod.Spec.RestartPolicy {
	case corev1.RestartPolicyNever:
		return true
	case corev1.RestartPolicyOnFailure:
		return c.succeeded()
	}
	return false
}

// runToCompletion runs an init container until it succeeds, and reports whether it did.
func (c *container) runToCompletion() bool {
	for c.worker.ctx.Err() == nil {
		untilExit := func(p *process) {
			select {
			case <-p.exited:
			case <-c.worker.ctx.Done():
			}
		}
		if c.runOnce(untilExit) == nil && c.succeeded() {
			return true
		}
		sleep(c.worker.ctx, retryEvery)
	}
	return false
}

func (c *container) succeeded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.terminated != nil && c.terminated.ExitCode == 0
}

// runOnce starts the process and calls attend for it. It returns an error if the process could not be started.
func (c *container) runOnce(attend func(*process)) error {
	p, err := c.start()
	if err != nil {
		c.wait("CreateContainerError", err.Error())
		return err
	}
	attend(p)
	if p.hasExited() {
		c.recordExit(p)
	}
	return nil
}

// start starts the process with the present environment.
func (c *container) start() (*process, error) {
	w := c.worker
	program, err := w.program(c)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(program.logPath), 0o700); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p, err := w.runner.plane.spawner.run(program)
	if err != nil {
		return nil, err
	}
	if c.terminated != nil {
		c.restarts++
		c.previous = c.terminated
	}
	c.proc, c.startedAt, c.waiting, c.terminated = p, metav1.Now(), nil, nil
	c.started = c.spec.StartupProbe == nil
	c.ready = c.started && c.spec.ReadinessProbe == nil
	w.changed()
	return p, nil
}

// supervise probes the process until it ends or the Pod's time is over. It ends the process itself if its startup or liveness probe
// fails.
func (c *container) supervise(p *process) {
	probing, stop := context.WithCancel(c.worker.ctx)
	unhealthy := make(chan time.Duration, 2)
	var probes sync.WaitGroup
	probes.Go(func() { c.probe(probing, unhealthy) })
	defer probes.Wait()
	defer stop()
	select {
	case <-p.exited:
	case <-c.worker.ctx.Done():
	case grace := <-unhealthy:
		stop()
		c.setReady(false)
		patience, cancel := context.WithTimeout(c.worker.ctx, grace)
		defer cancel()
		c.stop(patience, p)
	}
}

// stop sends SIGTERM, and SIGKILL when patience ends first. If the Pod's time is over meanwhile, it leaves the end to the worker,
// which knows how much time the Pod still has.
func (c *container) stop(patience context.Context, p *process) {
	_ = p.signal(syscall.SIGTERM) // an error means that it has ended
	select {
	case <-p.exited:
	case <-patience.Done():
		if c.worker.ctx.Err() == nil {
			_ = p.kill()
		}
	}
}

// recordExit records how the process ended.
func (c *container) recordExit(p *process) {
	state := p.cmd.ProcessState
	code, reason := state.ExitCode(), "Completed"
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		code = 128 + int(status.Signal()) // as container runtimes report it
	}
	if code != 0 {
		reason = "Error"
	}
	c.mu.Lock()
	c.started, c.ready = false, false
	c.terminated = &corev1.ContainerStateTerminated{
		ExitCode: int32(code), Reason: reason, StartedAt: c.startedAt, FinishedAt: metav1.Now(),
	}
	c.mu.Unlock()
	c.worker.changed()
}

// end ends the process for good: the sleep of a preStop hook, SIGTERM, and SIGKILL when the grace
// period is over or patience ends.
func (c *container) end(patience context.Context, grace time.Duration) {
	p := c.unrecorded()
	if p == nil {
		return
	}
	patience, cancel := context.WithTimeout(patience, grace)
	defer cancel()
	if hook := c.spec.Lifecycle; hook != nil && hook.PreStop != nil && hook.PreStop.Sleep != nil && !p.hasExited() {
		sleep(patience, time.Duration(hook.PreStop.Sleep.Seconds)*time.Second)
	}
	// An error means that the process has ended, or that SIGKILL has to do.
	_ = p.signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-patience.Done():
		_ = p.kill()
	}
	c.recordExit(p)
}

// unrecorded returns the latest process whose end is not recorded, or nil.
func (c *container) unrecorded() *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.terminated != nil {
		return nil
	}
	return c.proc
}

// running returns the process, or nil if there is none.
func (c *container) running() *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.proc == nil || c.proc.hasExited() {
		return nil
	}
	return c.proc
}

func (c *container) restartCount() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.restarts
}

func (c *container) mustHaveStarted() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.started {
		return errors.New("container " + c.spec.Name + " has not started")
	}
	return nil
}

// wait records why there is no process at the moment.
func (c *container) wait(reason, message string) {
	c.mu.Lock()
	c.waiting = &corev1.ContainerStateWaiting{Reason: reason, Message: message}
	c.mu.Unlock()
	c.worker.changed()
}

func (c *container) setStarted() {
	c.mu.Lock()
	c.started = true
	c.ready = c.spec.ReadinessProbe == nil
	c.mu.Unlock()
	c.worker.changed()
}

func (c *container) setReady(ready bool) {
	c.mu.Lock()
	changed := c.ready != ready
	c.ready = ready
	c.mu.Unlock()
	if changed {
		c.worker.changed()
	}
}

func (c *container) logPath() string {
	return filepath.Join(c.worker.runner.logDir(), c.worker.pod.Name, c.spec.Name+".log")
}
