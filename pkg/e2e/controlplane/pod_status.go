package controlplane

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// report keeps the Pod's status up to date until ctx ends.
func (w *podWorker) report(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.dirty:
		}
		status := w.status()
		for {
			err := w.patchStatus(ctx, status)
			w.noteReport(err)
			if err == nil || isGone(err) || !sleep(ctx, retryEvery) {
				break
			}
			status = w.status() // it may have changed while the API server was away
		}
	}
}

// noteReport keeps the error of the latest report, for people.
func (w *podWorker) noteReport(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reportErr = err
}

// finish reports the end of the processes and deletes the object, unless it is deleted already or the runner itself is stopping.
func (w *podWorker) finish() {
	for w.runner.ctx.Err() == nil {
		err := w.patchStatus(w.runner.ctx, w.status())
		if err == nil {
			break
		}
		if isGone(err) || !sleep(w.runner.ctx, retryEvery) {
			return
		}
	}
	w.runner.deleteObject(w.pod)
}

// isGone reports whether a write failed because its object no longer exists: there is none of its name, or another one (Conflict
// with the UID).
func isGone(err error) bool { return apierrors.IsNotFound(err) || apierrors.IsConflict(err) }

func (w *podWorker) patchStatus(ctx context.Context, status corev1.PodStatus) error {
	patch, err := statusPatch(w.pod.UID, status)
	if err != nil {
		return err
	}
	pods := w.runner.client.CoreV1().Pods(w.pod.Namespace)
	if _, err := pods.Patch(ctx, w.pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reported = false
	for _, c := range status.Conditions {
		if c.Type == corev1.PodReady {
			w.reported = c.Status == corev1.ConditionTrue
		}
	}
	return nil
}

// statusPatch applies to the object of that UID only. Its addresses replace those that an earlier runner reported, as in a
// kubelet's patches; if merged, there would be two.
func statusPatch(uid types.UID, status corev1.PodStatus) ([]byte, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&status)
	if err != nil {
		return nil, err
	}
	for _, list := range []string{"podIPs", "hostIPs"} {
		if addresses, ok := fields[list].([]any); ok {
			fields[list] = append(addresses, map[string]any{"$patch": "replace"})
		}
	}
	return json.Marshal(map[string]any{"metadata": map[string]any{"uid": uid}, "status": fields})
}

// status returns the status that a kubelet would report now.
func (w *podWorker) status() corev1.PodStatus {
	s := corev1.PodStatus{
		Phase:              corev1.PodPending,
		HostIP:             w.runner.address.shown(),
		HostIPs:            []corev1.HostIP{{IP: w.runner.address.shown()}},
		StartTime:          ptr.To(w.pod.CreationTimestamp),
		ObservedGeneration: w.current().Generation,
	}
	begun, ended, failed := true, true, false
	for _, c := range w.containers {
		status := c.status()
		if c.isInit {
			s.InitContainerStatuses = append(s.InitContainerStatuses, status)
			continue
		}
		s.ContainerStatuses = append(s.ContainerStatuses, status)
		begun = begun && (status.State.Waiting == nil || status.LastTerminationState.Terminated != nil)
		ended = ended && status.State.Terminated != nil
		failed = failed || status.State.Terminated != nil && status.State.Terminated.ExitCode != 0
	}
	switch {
	case ended && failed:
		s.Phase = corev1.PodFailed
	case ended:
		s.Phase = corev1.PodSucceeded
	case begun:
		s.Phase = corev1.PodRunning
	}
	containersReady, ready := w.containersReady(), w.isReady()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.address != nil {
		s.PodIP = w.address.shown()
		s.PodIPs = []corev1.PodIP{{IP: s.PodIP}}
	}
	s.Conditions = []corev1.PodCondition{
		w.condition(corev1.PodInitialized, begun, "ContainersNotInitialized"),
		w.condition(corev1.ContainersReady, containersReady, "ContainersNotReady"),
		w.condition(corev1.PodReady, ready, "ContainersNotReady"),
	}
	return s
}

// condition must be called with the lock held.
func (w *podWorker) condition(kind corev1.PodConditionType, isTrue bool, whyNot string) corev1.PodCondition {
	c := corev1.PodCondition{
		Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now(),
		ObservedGeneration: w.latest.Generation,
	}
	if !isTrue {
		c.Status, c.Reason, c.Message = corev1.ConditionFalse, whyNot, w.setBack
	}
	if before, ok := w.conditions[kind]; ok && before.Status == c.Status {
		c.LastTransitionTime = before.LastTransitionTime
	}
	w.conditions[kind] = c
	return c
}

func (w *podWorker) containersReady() bool {
	for _, c := range w.containers {
		if !c.isInit && !c.isReady() {
			return false
		}
	}
	return true
}

// isReady reports whether the containers are ready and all readiness gates are true.
func (w *podWorker) isReady() bool {
	pod := w.current()
	for _, gate := range pod.Spec.ReadinessGates {
		if !hasCondition(pod, gate.ConditionType) {
			return false
		}
	}
	return w.containersReady()
}

func hasCondition(pod *corev1.Pod, kind corev1.PodConditionType) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == kind {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// isReported reports whether the Pod is ready and the API knows it.
func (w *podWorker) isReported() bool {
	w.mu.Lock()
	reported := w.reported
	w.mu.Unlock()
	return reported && w.isReady() && !w.terminating()
}

// problem returns why the Pod is not ready, for people.
func (w *podWorker) problem() string {
	w.mu.Lock()
	problems := []string{w.setBack}
	if w.reportErr != nil {
		problems = append(problems, "reporting: "+w.reportErr.Error())
	}
	w.mu.Unlock()
	for _, c := range w.containers {
		status := c.status()
		if waiting := status.State.Waiting; waiting != nil {
			problems = append(problems, fmt.Sprintf("container %s: %s %s", c.spec.Name, waiting.Reason, waiting.Message))
		} else if !status.Ready {
			problems = append(problems, fmt.Sprintf("container %s is not ready (%d restarts)", c.spec.Name, status.RestartCount))
		}
	}
	return strings.Trim(strings.Join(problems, "; "), "; ")
}

func (c *container) isReady() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	// The end of a process is recorded a moment after it.
	return c.ready && !c.proc.hasExited()
}

func (c *container) status() corev1.ContainerStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := corev1.ContainerStatus{
		Name: c.spec.Name, Image: c.spec.Image, ImageID: c.spec.Image,
		Ready:        c.ready || c.isInit && c.terminated != nil && c.terminated.ExitCode == 0,
		Started:      ptr.To(c.started),
		RestartCount: int32(c.restarts),
	}
	switch {
	case c.waiting != nil:
		s.State.Waiting = c.waiting
		s.LastTerminationState.Terminated = c.terminated
		return s
	case c.terminated != nil:
		s.State.Terminated = c.terminated
	default:
		s.State.Running = &corev1.ContainerStateRunning{StartedAt: c.startedAt}
	}
	s.LastTerminationState.Terminated = c.previous
	return s
}
