package controlplane

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// APIServer and Etcd are the names of components for Kill and Revive.
const (
	APIServer = "kube-apiserver"
	Etcd      = etcdName
)

// EtcdURL returns the URL at which etcd serves clients, JSON included.
func (c *ControlPlane) EtcdURL() string { return c.etcdURL }

// named returns the processes of components, in the order in which they were started; without names, those of all.
func (c *ControlPlane) named(names []string) []*process {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*process
	for _, p := range c.processes {
		if len(names) == 0 || slices.Contains(names, p.name) {
			out = append(out, p)
		}
	}
	return out
}

// Kill ends components as a crash would; without names, all of them, as a loss of power would. Pods go on.
func (c *ControlPlane) Kill(names ...string) error {
	var errs []error
	for _, p := range c.named(names) {
		errs = append(errs, p.kill())
	}
	return errors.Join(errs...)
}

// Revive starts components that have ended again, with the same addresses and data; without names, all of them. It waits until the
// API server is ready.
func (c *ControlPlane) Revive(ctx context.Context, names ...string) error {
	for _, p := range c.named(names) {
		if !p.hasExited() {
			continue
		}
		if _, err := c.launchProgram(p.program); err != nil {
			return fmt.Errorf("starting %s again: %w", p.name, err)
		}
	}
	return c.waitHealthy(ctx, c.component(APIServer), c.apiServerURL()+"/readyz")
}

// RestartEtcd kills etcd and starts it again with further arguments, which the next restart forgets. It does not wait for the API
// server, which may not be able to serve then.
func (c *ControlPlane) RestartEtcd(args ...string) error {
	etcd := c.component(Etcd)
	if err := etcd.kill(); err != nil {
		return fmt.Errorf("restarting etcd: %w", err)
	}
	again := etcd.program
	again.args = slices.Concat(c.etcdArgs, args)
	if _, err := c.launchProgram(again); err != nil {
		return fmt.Errorf("restarting etcd: %w", err)
	}
	return nil
}
