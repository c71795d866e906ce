package controlplane

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// retryEvery is how soon a failed step is tried again, such as reading a token that the API server does not grant yet or a
	// ConfigMap that does not exist yet.
	retryEvery = 200 * time.Millisecond
	// powerOffGrace is how long processes have when the whole runner stops.
	powerOffGrace = 2 * time.Second
)

// podWorker manages one Pod from its first sight to the deletion of its object.
type podWorker struct {
	runner  *PodRunner
	pod     *corev1.Pod // as first seen, for the fields that never change
	dir     string
	address *address // nil until prepared
	link    *Link    // nil until prepared, and without RunnerOptions.Links
	volumes *volumes

	ctx    context.Context // ends when the processes must end, for any reason
	cancel context.CancelFunc
	gone   chan struct{} // closed when the object no longer exists
	dirty  chan struct{} // has an element when there is something to report

	mu         sync.Mutex
	latest     *corev1.Pod
	containers []*container // init containers first
	conditions map[corev1.PodConditionType]corev1.PodCondition
	setBack    string // why the Pod cannot start yet
	reportErr  error  // why the last report to the API failed
	reported   bool   // the API knows that the Pod is ready
}

func newPodWorker(r *PodRunner, pod *corev1.Pod) *podWorker {
	w := &podWorker{
		runner: r, pod: pod, latest: pod,
		dir:        r.plane.scratch.path("pods", string(pod.UID)),
		gone:       make(chan struct{}),
		dirty:      make(chan struct{}, 1),
		conditions: map[corev1.PodConditionType]corev1.PodCondition{},
	}
	w.ctx, w.cancel = context.WithCancel(r.ctx)
	for _, spec := range pod.Spec.InitContainers {
		w.containers = append(w.containers, newContainer(w, spec, true))
	}
	for _, spec := range pod.Spec.Containers {
		w.containers = append(w.containers, newContainer(w, spec, false))
	}
	if pod.DeletionTimestamp != nil {
		w.cancel()
	}
	return w
}

// update records a new version of the object.
func (w *podWorker) update(pod *corev1.Pod) {
	w.mu.Lock()
	gatesChanged := len(pod.Spec.ReadinessGates) > 0
	w.latest = pod
	w.mu.Unlock()
	if pod.DeletionTimestamp != nil {
		w.cancel()
	}
	if gatesChanged {
		w.changed()
	}
}

// vanish records that the object is gone, because somebody deleted it by force or the worker deleted it.
func (w *podWorker) vanish() {
	close(w.gone)
	w.cancel()
}

// changed makes the reporter look at the state again.
func (w *podWorker) changed() {
	select {
	case w.dirty <- struct{}{}:
	default:
	}
}

// run runs the Pod for its whole life.
func (w *podWorker) run() {
	defer w.cleanUp()
	reporting, stopReporting := context.WithCancel(w.runner.ctx)
	var reporter sync.WaitGroup
	reporter.Go(func() { w.report(reporting) })
	var running sync.WaitGroup
	w.runContainers(&running)
	<-w.ctx.Done()
	running.Wait() // nothing is started any more
	w.endProcesses()
	stopReporting()
	reporter.Wait()
	w.finish()
}

// runContainers starts the Pod's containers in the kubelet's order.
func (w *podWorker) runContainers(running *sync.WaitGroup) {
	if !w.keepTrying(w.prepare) {
		return
	}
	running.Go(w.refreshVolumes)
	for _, c := range w.containers {
		switch {
		case !c.isInit:
			running.Go(c.run)
		case isSidecar(c.spec):
			running.Go(c.run)
			if !w.keepTrying(c.mustHaveStarted) {
				return
			}
		default:
			if !c.runToCompletion() {
				return
			}
		}
	}
}

// keepTrying repeats f until it works, and reports whether it did before the Pod's time was over.
func (w *podWorker) keepTrying(f func() error) bool {
	for w.ctx.Err() == nil {
		err := f()
		w.mu.Lock()
		w.setBack = ""
		if err != nil {
			w.setBack = err.Error()
		}
		w.mu.Unlock()
		w.changed()
		if err == nil {
			return true
		}
		sleep(w.ctx, retryEvery)
	}
	return false
}

// prepare gives the Pod its address and its volumes. It may be called again after an error.
func (w *podWorker) prepare() error {
	if w.address == nil {
		address, err := claimAddress()
		if err != nil {
			return err
		}
		w.mu.Lock()
		w.address = address
		w.volumes = &volumes{worker: w, dir: filepath.Join(w.dir, "volumes")}
		w.mu.Unlock()
	}
	if w.runner.options.Links && w.link == nil {
		link, err := newLink(w.runner.plane)
		if err != nil {
			return err
		}
		w.mu.Lock()
		w.link = link
		w.mu.Unlock()
	}
	return w.volumes.sync(w.ctx)
}

func (w *podWorker) refreshVolumes() {
	for sleep(w.ctx, volumeSyncEvery) {
		// A volume that cannot be read now keeps its old content, as with a kubelet.
		_ = w.volumes.sync(w.ctx)
	}
}

// endProcesses ends the processes, as gently as the reason for the end allows.
func (w *podWorker) endProcesses() {
	if w.runner.ctx.Err() != nil {
		w.endContainers(context.Background(), powerOffGrace)
		return
	}
	// A deletion by force, or the end of the runner, may overtake a gentle end.
	patience, hurry := context.WithCancel(w.runner.ctx)
	defer hurry()
	go func() {
		select {
		case <-w.gone:
			hurry()
		case <-patience.Done():
		}
	}()
	grace := int64(corev1.DefaultTerminationGracePeriodSeconds)
	if s := w.current().DeletionGracePeriodSeconds; s != nil {
		grace = *s
	}
	w.endContainers(patience, time.Duration(grace)*time.Second)
}

func (w *podWorker) endContainers(patience context.Context, grace time.Duration) {
	var ending sync.WaitGroup
	for _, c := range w.containers {
		ending.Go(func() { c.end(patience, grace) })
	}
	ending.Wait()
}

// current returns the latest version of the object.
func (w *podWorker) current() *corev1.Pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.latest
}

func (w *podWorker) linkToAPI() *Link {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.link
}

// terminating reports whether the Pod is terminating.
func (w *podWorker) terminating() bool { return w.ctx.Err() != nil }

func (w *podWorker) cleanUp() {
	w.cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.address != nil {
		_ = w.address.release()
	}
	if w.link != nil {
		w.link.close()
	}
}

// crash kills the Pod's processes.
func (w *podWorker) crash() error {
	killed := false
	for _, c := range w.containers {
		if p := c.running(); p != nil {
			if err := p.kill(); err != nil {
				return err
			}
			killed = true
		}
	}
	if !killed {
		return fmt.Errorf("pod %s has no running process", w.pod.Name)
	}
	return nil
}

// backend returns where connections to the named port go, and whether the Pod takes any.
func (w *podWorker) backend(portName string) (string, bool) {
	if w.terminating() || !w.isReady() {
		return "", false
	}
	for _, c := range w.containers {
		for _, port := range c.spec.Ports {
			if port.Name == portName {
				return net.JoinHostPort(w.address.local(), strconv.Itoa(int(port.ContainerPort))), true
			}
		}
	}
	return "", false
}

func (w *podWorker) summary() RunningPod {
	s := RunningPod{Name: w.pod.Name, Ready: w.isReady() && !w.terminating(), Terminating: w.terminating()}
	w.mu.Lock()
	if w.address != nil {
		s.IP = w.address.local()
	}
	w.mu.Unlock()
	first := w.containers[len(w.pod.Spec.InitContainers)]
	s.Log = first.logPath()
	if p := first.running(); p != nil {
		s.PID = p.pid()
	}
	s.Restarts = first.restartCount()
	return s
}

// deleteObject deletes the Pod's object, as the kubelet does at the end.
func (r *PodRunner) deleteObject(pod *corev1.Pod) {
	now := metav1.DeleteOptions{GracePeriodSeconds: new(int64), Preconditions: metav1.NewUIDPreconditions(string(pod.UID))}
	for {
		err := r.client.CoreV1().Pods(pod.Namespace).Delete(r.ctx, pod.Name, now)
		if err == nil || isGone(err) || !sleep(r.ctx, retryEvery) {
			return
		}
	}
}

// sleep reports whether it slept for the whole time.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
