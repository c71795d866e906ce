package controlplane

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// startAPIServer starts etcd and the API server and waits for the latter, which waits for the
// former.
func (c *ControlPlane) startAPIServer(ctx context.Context) error {
	etcd, err := c.startEtcd()
	if err != nil {
		return err
	}
	if err := writeFile(c.scratch.path("config", "egress.yaml"), egressConfig(c.scratch.path("egress.sock"))); err != nil {
		return err
	}
	if c.apiServerPort, err = c.address.freePort(); err != nil {
		return err
	}
	c.apiServer = program{
		name:    "kube-apiserver",
		path:    c.bins.path("kube-apiserver"),
		args:    append(c.apiServerArgs(etcd), c.options.APIServerArgs...),
		env:     []string{"HOME=" + c.scratch.path("home")},
		dir:     c.scratch.path("home"),
		logPath: c.logPath("kube-apiserver"),
		log:     c.options.Log,
	}
	return c.runAPIServer(ctx)
}

// startEtcd starts etcd and returns the URL that clients use.
func (c *ControlPlane) startEtcd() (string, error) {
	clientPort, err := c.address.freePort()
	if err != nil {
		return "", err
	}
	peerPort, err := c.address.freePort()
	if err != nil {
		return "", err
	}
	client, peer := "http://"+c.address.hostPort(clientPort), "http://"+c.address.hostPort(peerPort)
	c.etcdURL = client
	c.etcdArgs = []string{
		"--data-dir=" + c.scratch.path("etcd"),
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=default=" + peer,
		"--unsafe-no-fsync", // nothing here outlives a power failure
		"--log-level=warn",
	}
	_, err = c.launch(etcdName, c.etcdArgs)
	return client, err
}

func (c *ControlPlane) apiServerArgs(etcd string) []string {
	pki, config := func(name string) string { return c.scratch.path("pki", name) }, c.scratch.path("config")
	args := []string{
		"--etcd-servers=" + etcd,
		"--bind-address=" + c.address.local(),
		"--secure-port=" + strconv.Itoa(c.apiServerPort),
		// The kubernetes Service's EndpointSlice shows it, and takes no loopback address.
		"--advertise-address=" + c.address.shown(),
		"--service-cluster-ip-range=" + serviceCIDR,
		"--tls-cert-file=" + pki("server.crt"), "--tls-private-key-file=" + pki("server.key"),
		"--client-ca-file=" + pki("ca.crt"),
		"--authorization-mode=Node,RBAC",
		"--allow-privileged=true",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + pki("service-account.key"),
		"--service-account-signing-key-file=" + pki("service-account.key"),
		// For aggregated API servers, and so that extension-apiserver-authentication exists.
		"--requestheader-client-ca-file=" + pki("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-uid-headers=X-Remote-Uid",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + pki("front-proxy-client.crt"),
		"--proxy-client-key-file=" + pki("front-proxy-client.key"),
		// No kube-proxy makes cluster IPs work: the API server reaches the endpoints through our network.
		"--enable-aggregator-routing=true",
		"--egress-selector-config-file=" + config + "/egress.yaml",
		"--kubelet-preferred-address-types=InternalIP",
		"--profiling=false",
	}
	if len(c.options.Users) > 0 {
		args = append(args, "--token-auth-file="+config+"/tokens.csv")
	}
	return args
}

// runAPIServer starts the API server as it was set up first, and waits until it is ready.
func (c *ControlPlane) runAPIServer(ctx context.Context) error {
	p, err := c.launchProgram(c.apiServer)
	if err != nil {
		return err
	}
	err = c.waitHealthy(ctx, p, c.apiServerURL()+"/readyz")
	if err == nil {
		return nil
	}
	// An API server that waits for its storage does not say why the storage is missing.
	return errors.Join(err, fmt.Errorf("etcd's log ends with:\n%s", tail(c.logPath("etcd"), 5)))
}

// etcdName is the name of etcd's process.
const etcdName = "etcd"

// RestartAPIServer kills the API server as a crash would, starts it again with the same address
// and data, and waits until it is ready. Further arguments are added to its own from then on.
func (c *ControlPlane) RestartAPIServer(ctx context.Context, more ...string) error {
	c.apiServer.args = append(c.apiServer.args, more...)
	if err := c.component(c.apiServer.name).kill(); err != nil {
		return fmt.Errorf("restarting the API server: %w", err)
	}
	if err := c.runAPIServer(ctx); err != nil {
		return fmt.Errorf("restarting the API server: %w", err)
	}
	return nil
}

func (c *ControlPlane) apiServerURL() string {
	return "https://" + c.address.hostPort(c.apiServerPort)
}
