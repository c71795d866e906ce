package controlplane

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	// kwokNode is the node that every control plane has.
	kwokNode = "kwok-0"
	// kwokUser looks like a node: it writes what kubelets write in a real cluster (status, deletions of Pods that have ended), and
	// admission must see it so.
	kwokUser = "system:node:kwok"
	// kwokAnnotation marks the nodes that kwok plays. Tests may add nodes that carry it.
	kwokAnnotation, kwokAnnotationValue = "kwok.x-k8s.io/node", "fake"
)

// startKwok starts kwok, adds the node kwok-0 and waits until it is Ready.
func (c *ControlPlane) startKwok(ctx context.Context, admin kubernetes.Interface) error {
	if err := createKwokObjects(ctx, admin); err != nil {
		return err
	}
	const name = "kwok"
	kubeconfig, err := c.componentConfig(name, kwokUser, "system:nodes")
	if err != nil {
		return err
	}
	bin, err := c.makeContainerBin()
	if err != nil {
		return err
	}
	config, err := c.kwokConfig()
	if err != nil {
		return err
	}
	port, err := c.nodeAddress.freePort()
	if err != nil {
		return err
	}
	p, err := c.launch(name, append(config,
		"--kubeconfig="+kubeconfig,
		"--manage-nodes-with-annotation-selector="+kwokAnnotation+"="+kwokAnnotationValue,
		"--cidr="+fakePodCIDR,
		// Without heartbeats a node is lost after a minute.
		"--node-lease-duration-seconds=40",
		"--node-ip="+c.nodeAddress.shown(),
		"--node-port="+strconv.Itoa(port),
		"--server-address="+c.nodeAddress.hostPort(port),
	), "PATH="+bin)
	if err != nil {
		return err
	}
	return waitNodeReady(ctx, admin, p)
}

func createKwokObjects(ctx context.Context, admin kubernetes.Interface) error {
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "kwok"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: kwokUser}},
	}
	if _, err := admin.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("giving kwok its rights: %w", err)
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name:        kwokNode,
		Annotations: map[string]string{kwokAnnotation: kwokAnnotationValue},
		Labels: map[string]string{
			corev1.LabelHostname:   kwokNode,
			corev1.LabelOSStable:   "linux",
			corev1.LabelArchStable: "amd64",
		},
	}}
	if _, err := admin.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the node %s: %w", kwokNode, err)
	}
	return nil
}

func waitNodeReady(ctx context.Context, admin kubernetes.Interface, kwok *process) error {
	return poll(ctx, "the node "+kwokNode, func(ctx context.Context) error {
		if kwok.hasExited() {
			return fmt.Errorf("%w: %w", errFinal, kwok.failure())
		}
		node, err := admin.CoreV1().Nodes().Get(ctx, kwokNode, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("the node is not Ready; kwok's log ends with:\n%s", tail(kwok.logPath, 10))
	})
}

// kwokConfig returns the flags that name kwok's files: its own fast stages, with which Pods are Ready and Jobs complete at once,
// and its kubelet's answers.
func (c *ControlPlane) kwokConfig() ([]string, error) {
	stages, err := c.bins.stages()
	if err != nil {
		return nil, err
	}
	kubelet := c.scratch.path("config", "kwok-kubelet.yaml")
	if err := writeFile(kubelet, c.kubeletConfig()); err != nil {
		return nil, err
	}
	var flags []string
	for _, file := range append(stages, kubelet) {
		flags = append(flags, "--config="+file)
	}
	return flags, nil
}

// kubeletConfig lets exec, attach, logs and port-forward succeed on kwok's nodes. There is no container to run a command in, so
// exec runs it on this machine: as nobody if we are root, and with only the programs of containerPrograms on its PATH.
func (c *ControlPlane) kubeletConfig() string {
	asNobody := ""
	if os.Getuid() == 0 {
		asNobody = "      securityContext: {runAsUser: 65534, runAsGroup: 65534}\n"
	}
	output := c.scratch.path("config", "container.log")
	return strings.NewReplacer("{{output}}", output, "{{asNobody}}", asNobody).Replace(`apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterExec
metadata: {name: every-pod}
spec:
  execs:
  - local:
      workDir: /
{{asNobody}}---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterAttach
metadata: {name: every-pod}
spec:
  attaches:
  - logsFile: {{output}}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterLogs
metadata: {name: every-pod}
spec:
  logs:
  - logsFile: {{output}}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterPortForward
metadata: {name: every-pod}
spec:
  forwards:
  - command: [cat]
`)
}

// containerPrograms are the programs that "kubectl exec" finds in a Pod on kwok's nodes.
func containerPrograms() []string {
	return []string{"sh", "cat", "date", "echo", "env", "false", "hostname", "id", "ls", "sleep", "true"}
}

// makeContainerBin creates the folder that is kwok's PATH. It leaves out programs that this machine does not have.
func (c *ControlPlane) makeContainerBin() (string, error) {
	output := time.Now().UTC().Format(time.RFC3339Nano) + " stdout F this is a simulated container\n" // as container runtimes write it
	if err := writeFile(c.scratch.path("config", "container.log"), output); err != nil {
		return "", err
	}
	bin := c.scratch.path("container-bin")
	if err := os.Mkdir(bin, 0o755); err != nil { //nolint:gosec // kwok runs the commands in it as nobody
		return "", err
	}
	for _, name := range containerPrograms() {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			return "", fmt.Errorf("linking %s for simulated containers: %w", name, err)
		}
	}
	return bin, nil
}
