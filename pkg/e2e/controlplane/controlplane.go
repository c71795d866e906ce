package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
)

// startTimeout bounds Start if its caller set no deadline. Start takes some seconds on an idle machine, and longer on a busy one.
const startTimeout = 2 * time.Minute

// startAttempts is how often another process may take a port before Start gives up.
const startAttempts = 3

// ControlPlane is a running cluster. Its methods may be called concurrently.
type ControlPlane struct {
	options Options
	bins    binaries
	scratch *scratch
	spawner *spawner
	address *address
	network *clusterNetwork
	pki     *pki
	tokens  map[string]string // by username

	etcdURL       string
	etcdArgs      []string
	apiServer     program
	apiServerPort int
	nodeAddress   *address // kwok-0

	mu        sync.Mutex
	processes []*process // in the order in which they were started
	runners   map[string]*PodRunner
	stopping  bool

	stopOnce sync.Once
	stopErr  error
}

// Start starts a control plane and waits until it is ready: the API server and the controller manager are healthy, the default
// namespace has its service account, and the node kwok-0 takes Pods. The context bounds the start only; the control plane runs
// until Stop, or until this process ends in any way. If Start fails, nothing is left running, and the error has the end of the
// failed component's log.
func Start(ctx context.Context, o Options) (*ControlPlane, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, startTimeout)
		defer cancel()
	}
	bins, err := findBinaries()
	if err != nil {
		return nil, err
	}
	if err := bins.check(); err != nil {
		return nil, err
	}
	if o.Log != nil {
		o.Log = &lockedWriter{to: o.Log}
	}
	for attempt := 1; ; attempt++ {
		c := &ControlPlane{options: o, bins: bins, runners: map[string]*PodRunner{}}
		err := c.start(ctx)
		if err == nil {
			return c, nil
		}
		lostPort := c.lostPort()
		err = errors.Join(fmt.Errorf("starting a control plane: %w", err), c.Stop())
		if !lostPort || attempt == startAttempts {
			return nil, err
		}
	}
}

// lostPort reports whether another process took a component's port after it was chosen.
func (c *ControlPlane) lostPort() bool {
	return c.scratch != nil && strings.Contains(c.Logs(20), "address already in use")
}

func (c *ControlPlane) start(ctx context.Context) error {
	if err := c.prepare(); err != nil {
		return err
	}
	if err := c.startAPIServer(ctx); err != nil {
		return err
	}
	admin, err := c.adminClient()
	if err != nil {
		return err
	}
	return c.startComponents(ctx, admin)
}

// prepare creates what the components share: folders, addresses, certificates, tokens.
func (c *ControlPlane) prepare() (err error) {
	c.spawner = newSpawner(c)
	if c.scratch, err = newScratch(); err != nil {
		return err
	}
	if c.options.KeepDir {
		if err := c.scratch.keep(); err != nil {
			return err
		}
	}
	for _, name := range []string{"logs", "pki", "config", "home"} {
		if _, err := c.scratch.mkdir(name); err != nil {
			return err
		}
	}
	if c.address, err = claimAddress(); err != nil {
		return err
	}
	if c.nodeAddress, err = claimAddress(); err != nil {
		return err
	}
	if c.network, err = newClusterNetwork(c.scratch.path("egress.sock")); err != nil {
		return err
	}
	if c.tokens, err = writeTokens(c.scratch.path("config", "tokens.csv"), c.options.Users); err != nil {
		return err
	}
	c.pki, err = newPKI(c.scratch.path("pki"), net.ParseIP(c.address.local()))
	return err
}

// startComponents starts everything except the API server at the same time, and waits for all of it.
func (c *ControlPlane) startComponents(ctx context.Context, admin kubernetes.Interface) error {
	components := []func(context.Context, kubernetes.Interface) error{
		c.startControllerManager,
		c.startScheduler,
		c.startKwok,
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan error, len(components))
	for _, component := range components {
		go func() { results <- component(ctx, admin) }()
	}
	var first error
	for range components {
		if err := <-results; err != nil && first == nil {
			first = err
			cancel() // the others need not wait, and their errors do not matter then
		}
	}
	return first
}

// thrifty has components spend memory, of which a test's cluster needs little, rather than CPU time on collecting garbage.
const thrifty = "GOGC=400"

// launch starts one of the control plane's own components.
func (c *ControlPlane) launch(name string, args []string, extraEnv ...string) (*process, error) {
	return c.launchProgram(program{
		name:    name,
		path:    c.bins.path(name),
		args:    args,
		env:     append([]string{"HOME=" + c.scratch.path("home"), thrifty}, extraEnv...),
		dir:     c.scratch.path("home"),
		logPath: c.logPath(name),
		log:     c.options.Log,
	})
}

// launchProgram starts a component. It replaces an earlier one of the same name in the list, which keeps the order for Stop.
func (c *ControlPlane) launchProgram(p program) (*process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping {
		return nil, fmt.Errorf("starting %s: %w", p.name, errStopped)
	}
	proc, err := c.spawner.run(p)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(c.processes, func(old *process) bool { return old.name == p.name }); i >= 0 {
		c.processes[i] = proc
	} else {
		c.processes = append(c.processes, proc)
	}
	return proc, nil
}

// component returns a running component, which must have been started.
func (c *ControlPlane) component(name string) *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.processes[slices.IndexFunc(c.processes, func(p *process) bool { return p.name == name })]
}

// waitHealthy waits until the process answers url, served with our certificate, with 200.
func (c *ControlPlane) waitHealthy(ctx context.Context, p *process, url string) error {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: c.pki.trust(), DisableKeepAlives: true}}
	return poll(ctx, p.name, func(ctx context.Context) error {
		if p.hasExited() {
			return fmt.Errorf("%w: %w", errFinal, p.failure())
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, tail(p.logPath, 20))
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s\n%s", url, response.Status, tail(p.logPath, 20))
		}
		return nil
	})
}

// Dir returns the scratch folder. The logs of the components are in Dir()/logs.
func (c *ControlPlane) Dir() string { return c.scratch.dir }

// Bin returns the path of a program that hack/build-kube.sh builds: kubectl, helm, etcd, ….
func (c *ControlPlane) Bin(name string) string { return c.bins.path(name) }

func (c *ControlPlane) logPath(name string) string {
	return c.scratch.path("logs", name+".log")
}

// Logs returns the end of every component's log, for a failing test's output.
func (c *ControlPlane) Logs(lines int) string {
	paths, err := filepath.Glob(c.scratch.path("logs", "*.log"))
	if err != nil {
		return err.Error()
	}
	var text string
	for _, path := range paths {
		text += fmt.Sprintf("--- %s\n%s\n", filepath.Base(path), tail(path, lines))
	}
	return text
}

// writeFile writes a file that only its owner may read.
func writeFile(path, text string) error {
	return os.WriteFile(path, []byte(text), 0o600)
}
