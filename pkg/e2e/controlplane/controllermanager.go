package controlplane

import (
	"context"
	"fmt"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// componentConfig writes a component's kubeconfig file and returns its path.
func (c *ControlPlane) componentConfig(component, user string, groups ...string) (string, error) {
	path := c.scratch.path("config", component+".kubeconfig")
	return path, writeKubeconfig(path, c.UserConfig(user, groups...), "")
}

// servingArgs returns the flags of a component that serves only its health, and the URL of its health.
func (c *ControlPlane) servingArgs() (args []string, healthURL string, err error) {
	port, err := c.address.freePort()
	if err != nil {
		return nil, "", err
	}
	return []string{
		"--leader-elect=false",
		"--bind-address=" + c.address.local(),
		"--secure-port=" + strconv.Itoa(port),
		"--tls-cert-file=" + c.scratch.path("pki", "server.crt"),
		"--tls-private-key-file=" + c.scratch.path("pki", "server.key"),
		"--profiling=false",
		// With the default limit the controllers' 40 service account tokens alone take 4 seconds.
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
	}, "https://" + c.address.hostPort(port) + "/healthz", nil
}

// startControllerManager waits for the first thing that workloads need of it, too.
func (c *ControlPlane) startControllerManager(ctx context.Context, admin kubernetes.Interface) error {
	const name = "kube-controller-manager"
	kubeconfig, err := c.componentConfig(name, "system:kube-controller-manager")
	if err != nil {
		return err
	}
	args, health, err := c.servingArgs()
	if err != nil {
		return err
	}
	p, err := c.launch(name, append(args,
		"--kubeconfig="+kubeconfig,
		// With this, each controller is the service account that it is in a real cluster.
		"--use-service-account-credentials=true",
		"--service-account-private-key-file="+c.scratch.path("pki", "service-account.key"),
		"--root-ca-file="+c.scratch.path("pki", "ca.crt"),
		"--cluster-signing-cert-file="+c.scratch.path("pki", "ca.crt"),
		"--cluster-signing-key-file="+c.scratch.path("pki", "ca.key"),
	))
	if err != nil {
		return err
	}
	if err := c.waitHealthy(ctx, p, health); err != nil {
		return err
	}
	return poll(ctx, "the default service account", func(ctx context.Context) error {
		if p.hasExited() {
			return fmt.Errorf("%w: %w", errFinal, p.failure())
		}
		_, err := admin.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}
