package controlplane

import (
	"context"

	"k8s.io/client-go/kubernetes"
)

func (c *ControlPlane) startScheduler(ctx context.Context, _ kubernetes.Interface) error {
	const name = "kube-scheduler"
	kubeconfig, err := c.componentConfig(name, "system:kube-scheduler")
	if err != nil {
		return err
	}
	args, health, err := c.servingArgs()
	if err != nil {
		return err
	}
	p, err := c.launch(name, append(args, "--kubeconfig="+kubeconfig))
	if err != nil {
		return err
	}
	return c.waitHealthy(ctx, p, health)
}
