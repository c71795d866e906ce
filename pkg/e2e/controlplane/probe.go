package controlplane

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// probe runs the container's probes as a kubelet does, the startup probe before the others. If the process must be ended, probe
// sends the time that it has for this to unhealthy.
func (c *container) probe(ctx context.Context, unhealthy chan<- time.Duration) {
	fail := func(p *corev1.Probe) { unhealthy <- c.probeGrace(p) }
	if p := c.spec.StartupProbe; p != nil {
		if !c.probeStartup(ctx, p) {
			if ctx.Err() == nil {
				fail(p)
			}
			return
		}
		c.setStarted()
	}
	var probes sync.WaitGroup
	defer probes.Wait()
	if p := c.spec.ReadinessProbe; p != nil {
		probes.Go(func() {
			c.repeat(ctx, p, func(ok bool) bool { c.setReady(ok); return true })
		})
	}
	if p := c.spec.LivenessProbe; p != nil {
		probes.Go(func() {
			c.repeat(ctx, p, func(ok bool) bool {
				if !ok {
					fail(p)
				}
				return ok
			})
		})
	}
}

// probeStartup reports whether the probe passed before it failed for good or ctx ended.
func (c *container) probeStartup(ctx context.Context, p *corev1.Probe) (passed bool) {
	c.repeat(ctx, p, func(ok bool) bool { passed = ok; return false })
	return passed
}

// repeat probes with the probe's period. It calls report each time that a threshold is reached, until report returns false.
func (c *container) repeat(ctx context.Context, p *corev1.Probe, report func(ok bool) (more bool)) {
	if !sleep(ctx, time.Duration(p.InitialDelaySeconds)*time.Second) {
		return
	}
	period := time.Duration(max(p.PeriodSeconds, 1)) * time.Second
	var successes, failures int32
	for {
		err := c.probeOnce(ctx, p)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			successes, failures = successes+1, 0
		} else {
			successes, failures = 0, failures+1
		}
		reached := successes >= max(p.SuccessThreshold, 1) || failures >= max(p.FailureThreshold, 1)
		if reached && !report(err == nil) {
			return
		}
		if !sleep(ctx, period) {
			return
		}
	}
}

// probeGrace returns the probe's own grace period, or the Pod's.
func (c *container) probeGrace(p *corev1.Probe) time.Duration {
	seconds := int64(corev1.DefaultTerminationGracePeriodSeconds)
	if s := c.worker.pod.Spec.TerminationGracePeriodSeconds; s != nil {
		seconds = *s
	}
	if s := p.TerminationGracePeriodSeconds; s != nil {
		seconds = *s
	}
	return time.Duration(seconds) * time.Second
}

func (c *container) probeOnce(ctx context.Context, p *corev1.Probe) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(max(p.TimeoutSeconds, 1))*time.Second)
	defer cancel()
	switch {
	case p.HTTPGet != nil:
		return c.probeHTTP(ctx, p.HTTPGet)
	case p.TCPSocket != nil:
		return c.probeTCP(ctx, p.TCPSocket)
	default:
		// An unsupported probe fails: if it were skipped, it would seem to pass.
		return errors.New("only httpGet and tcpSocket probes are run")
	}
}

func (c *container) probeTCP(ctx context.Context, action *corev1.TCPSocketAction) error {
	target, err := c.probeTarget(action.Host, action.Port)
	if err != nil {
		return err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", target)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (c *container) probeHTTP(ctx context.Context, action *corev1.HTTPGetAction) error {
	target, err := c.probeTarget(action.Host, action.Port)
	if err != nil {
		return err
	}
	path, err := url.Parse(action.Path)
	if err != nil {
		return fmt.Errorf("the probe's path: %w", err)
	}
	path.Scheme, path.Host = strings.ToLower(string(action.Scheme)), target
	if path.Scheme == "" {
		path.Scheme = "http"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, path.String(), nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "kube-probe/1")
	for _, h := range action.HTTPHeaders {
		request.Header.Add(h.Name, h.Value)
		if strings.EqualFold(h.Name, "Host") {
			request.Host = h.Value
		}
	}
	response, err := probeClient().Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode >= 400 {
		return fmt.Errorf("%s answers %s", path, response.Status)
	}
	return nil
}

// probeClient trusts any certificate and keeps no connection, like a kubelet's.
func probeClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // as kubelets do
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// probeTarget resolves a port's name. The host is the Pod, unless the probe names another.
func (c *container) probeTarget(host string, port intstr.IntOrString) (string, error) {
	if host == "" {
		host = c.worker.address.local()
	}
	number := port.IntValue()
	for _, p := range c.spec.Ports {
		if port.Type == intstr.String && p.Name == port.StrVal {
			number = int(p.ContainerPort)
		}
	}
	if number <= 0 {
		return "", fmt.Errorf("the probe's port %q is not among the container's", port.String())
	}
	return net.JoinHostPort(host, strconv.Itoa(number)), nil
}
