package controlplane

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

const (
	// defaultRunnerNode is the node that a PodRunner plays.
	defaultRunnerNode = "local-0"
	// defaultPortName is the container port that the balancer sends connections to.
	defaultPortName = "webhook"
	// RunnerLabel marks the nodes that PodRunners play, and is the key of the taint (value "true",
	// NoSchedule) that keeps every Pod away that does not ask for them.
	RunnerLabel = "firebreak.dev/pod-runner"
)

// RunnerOptions say which Pods to run and how.
type RunnerOptions struct {
	// Namespace and Deployment name the Deployment whose Pods are run.
	Namespace, Deployment string
	// Images maps the beginning of an image's name, without tag or digest, to the program on this machine that replaces its
	// entrypoint. The longest match counts.
	Images map[string]string
	// NodeName is the node that the runner plays, by default "local-0". Pods must be sent there by a node selector
	// (kubernetes.io/hostname, or RunnerLabel) and tolerate its taint.
	NodeName string
	// PortName is the container port that the balancer sends connections to, by default "webhook".
	PortName string
	// Links puts a Link between each Pod and the API server.
	Links bool
}

// PodRunner plays one node, as its kubelet would. It runs Pods that are bound to the node as processes on this machine: those of a
// Deployment, and those of its namespace without a controller. It reports their status, and stands in for the Service in front of
// them. It acts as the node's own user, with only the rights of a kubelet.
//
// A Pod's processes see their Pod's loopback address as status.podIP; the API shows the same host as 100.x.y.z (see the package
// comment). In the command, the arguments and the environment, the runner replaces the path of a mounted volume with the volume's
// folder. With the service account token that the API server projects into the Pod comes a kubeconfig file, named by KUBECONFIG,
// that replaces the in-cluster configuration.
type PodRunner struct {
	plane    *ControlPlane
	options  RunnerOptions
	client   kubernetes.Interface
	address  *address // of the node
	balancer *balancer

	ctx    context.Context // ends when the runner stops
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	workers map[types.UID]*podWorker
	divert  func(ready []string) []string // nil: connections go to the ready Pods
	stopped bool
}

// RunPods starts to run the Pods of a Deployment, which need not exist yet. The context bounds only the start. The runner runs
// until its Stop or the control plane's.
func (c *ControlPlane) RunPods(ctx context.Context, o RunnerOptions) (*PodRunner, error) {
	if o.NodeName == "" {
		o.NodeName = defaultRunnerNode
	}
	if o.PortName == "" {
		o.PortName = defaultPortName
	}
	r := &PodRunner{plane: c, options: o, workers: map[types.UID]*podWorker{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	if err := c.addRunner(r); err != nil {
		r.cancel()
		return nil, err
	}
	if err := r.start(ctx); err != nil {
		r.Stop()
		return nil, fmt.Errorf("running the Pods of deployment %s/%s: %w", o.Namespace, o.Deployment, err)
	}
	return r, nil
}

func (r *PodRunner) start(ctx context.Context) (err error) {
	node := "system:node:" + r.options.NodeName
	if r.client, err = kubernetes.NewForConfig(r.plane.UserConfig(node, "system:nodes")); err != nil {
		return err
	}
	if r.address, err = claimAddress(); err != nil {
		return err
	}
	if r.balancer, err = newBalancer(r.backends); err != nil {
		return err
	}
	if err := r.registerNode(ctx); err != nil {
		return err
	}
	r.goroutine(r.heartbeat)
	return r.watchPods(ctx)
}

// addRunner lets only one runner play each node.
func (c *ControlPlane) addRunner(r *PodRunner) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping {
		return errStopped
	}
	if _, taken := c.runners[r.options.NodeName]; taken {
		return fmt.Errorf("another Pod runner plays node %s already", r.options.NodeName)
	}
	c.runners[r.options.NodeName] = r
	return nil
}

// goroutine runs f, and makes Stop wait for it.
func (r *PodRunner) goroutine(f func()) {
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		f()
	}()
}

func (r *PodRunner) observeAny(o any) {
	if pod, ok := o.(*corev1.Pod); ok {
		r.observe(pod)
	}
}

// watchPods follows the Pods of the node. It returns once it has seen those that exist.
func (r *PodRunner) watchPods(ctx context.Context) error {
	ofNode := fields.OneTermEqualSelector("spec.nodeName", r.options.NodeName)
	source := cache.NewListWatchFromClient(r.client.CoreV1().RESTClient(), "pods", corev1.NamespaceAll, ofNode)
	informer := cache.NewSharedInformer(source, &corev1.Pod{}, 0)
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    r.observeAny,
		UpdateFunc: func(_, o any) { r.observeAny(o) },
		DeleteFunc: r.forget,
	})
	if err != nil {
		return err
	}
	r.goroutine(func() { informer.RunWithContext(r.ctx) })
	return poll(ctx, "the list of Pods", func(context.Context) error {
		if !registration.HasSynced() {
			return fmt.Errorf("not listed yet")
		}
		return nil
	})
}

// observe starts a worker for a Pod that it has not seen, and tells the worker of every change.
func (r *PodRunner) observe(pod *corev1.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return
	}
	w, known := r.workers[pod.UID]
	switch {
	case known:
		w.update(pod)
	case finished(pod):
	case r.isMine(pod):
		w = newPodWorker(r, pod)
		r.workers[pod.UID] = w
		r.goroutine(w.run)
	case pod.DeletionTimestamp != nil:
		// A stray, say of a DaemonSet. It never ran, but only its kubelet can end it.
		r.goroutine(func() { r.deleteObject(pod) })
	}
}

func (r *PodRunner) forget(object any) {
	if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = tombstone.Obj
	}
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if w, known := r.workers[pod.UID]; known {
		w.vanish()
		delete(r.workers, pod.UID)
	}
}

// isMine reports whether the Pod belongs to the Deployment, by the name that its ReplicaSet must have, or is a Pod of the namespace
// without a controller, such as the test of a Helm chart.
func (r *PodRunner) isMine(pod *corev1.Pod) bool {
	if pod.Namespace != r.options.Namespace {
		return false
	}
	if metav1.GetControllerOf(pod) == nil {
		return true
	}
	hash := pod.Labels["pod-template-hash"]
	return slices.ContainsFunc(pod.OwnerReferences, func(o metav1.OwnerReference) bool {
		return o.Kind == "ReplicaSet" && o.Name == r.options.Deployment+"-"+hash
	})
}

func finished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// program returns the program that replaces an image's entrypoint.
func (r *PodRunner) program(image string) (string, error) {
	repository, _, _ := strings.Cut(image, "@")
	if i := strings.LastIndex(repository, ":"); i > strings.LastIndex(repository, "/") {
		repository = repository[:i]
	}
	best := ""
	for prefix := range r.options.Images {
		if strings.HasPrefix(repository, prefix) && len(prefix) >= len(best) {
			best = prefix
		}
	}
	path, ok := r.options.Images[best]
	if !ok {
		return "", fmt.Errorf("no program stands for image %q", image)
	}
	return path, nil
}

// Stop ends the processes (SIGTERM, then SIGKILL after a short while) and the balancer. Like a node that loses its power, it leaves
// the objects as they are.
func (r *PodRunner) Stop() {
	r.shutDown()
	r.plane.mu.Lock()
	defer r.plane.mu.Unlock()
	delete(r.plane.runners, r.options.NodeName)
}

// shutDown returns when everything has ended. It may be called more than once.
func (r *PodRunner) shutDown() {
	r.mu.Lock()
	first := !r.stopped
	r.stopped = true
	r.mu.Unlock()
	r.cancel()
	if first && r.balancer != nil {
		r.balancer.close()
	}
	r.wg.Wait()
	if first && r.address != nil {
		_ = r.address.release()
	}
}
