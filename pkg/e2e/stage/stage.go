package stage

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/e2e/controlplane"
	"github.com/firebreak-dev/firebreak/pkg/scheme"
)

// image is the image that the chart is told to run. The binary of the working tree replaces it.
const image = "registry.example.com/firebreak"

// Namespace is the namespace that Firebreak is installed in.
const Namespace = "firebreak-system"

// Cluster is the name of the cluster, as windows name it, unless Options give another.
const Cluster = "prod-eu-1"

// The people of the story.
const (
	Developer = "dana"  // of group developers
	SRE       = "sam"   // of group sre
	SecondSRE = "robin" // of group sre, and may approve
	ThirdSRE  = "noor"  // of group sre, and may not approve
)

// Options are the options of a stage.
type Options struct {
	// Replicas is how many replicas the server has, by default 1.
	Replicas int
	// Log receives the output of the set-up. It may be nil.
	Log io.Writer
	// KeepDir leaves the scratch folder behind.
	KeepDir bool
	// Cluster is the name of the cluster, by default the constant Cluster.
	Cluster string
	// Chart is the chart to install, by default the repository's.
	Chart string
	// Files are values files, and Values are further --set arguments of helm.
	Files, Values []string
	// Before sets up the cluster before Firebreak is installed. It may be nil.
	Before func(context.Context, *Stage) error
	// After looks at the cluster when the tests of a package have passed. It may be nil; packages that start a stage by themselves do without it.
	After func(context.Context, *Stage) error
	// Users are further people.
	Users []controlplane.User
	// APIServerArgs are added to the API server's own.
	APIServerArgs []string
	// Images are further images that Pods may name, each with the program that stands for it.
	Images map[string]string
	// Links puts a controlplane.Link between each replica and the API server.
	Links bool
}

// Stage is a cluster with Firebreak installed.
type Stage struct {
	*controlplane.ControlPlane
	Pods *controlplane.PodRunner
	// Root is the root of the repository.
	Root string
	log  io.Writer
	opts Options
}

// findRoot looks for the repository's root from the working folder upwards: a test runs in its package's folder, the
// demo in the root.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "charts", "firebreak", "Chart.yaml")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the working folder is in no checkout of Firebreak")
		}
		dir = parent
	}
}

// Start brings a control plane up, installs Firebreak and waits until it is ready. The binaries must have been built.
func Start(ctx context.Context, o Options) (*Stage, error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Replicas == 0 {
		o.Replicas = 1
	}
	root, err := findRoot()
	if err != nil {
		return nil, err
	}
	o.Cluster, o.Chart = cmp.Or(o.Cluster, Cluster), cmp.Or(o.Chart, filepath.Join(root, "charts", "firebreak"))
	cp, err := controlplane.Start(ctx, controlplane.Options{KeepDir: o.KeepDir, APIServerArgs: o.APIServerArgs, Users: append([]controlplane.User{
		{Name: Developer, UID: "u-dana", Groups: []string{"developers"}},
		{Name: SRE, UID: "u-sam", Groups: []string{"sre"}},
		{Name: SecondSRE, UID: "u-robin", Groups: []string{"sre", "approvers"}},
		{Name: ThirdSRE, UID: "u-noor", Groups: []string{"sre"}},
		{Name: "ci-deployer", UID: "u-ci", Groups: []string{"sre"}},
	}, o.Users...)})
	if err != nil {
		return nil, fmt.Errorf("start the control plane: %w", err)
	}
	s := &Stage{ControlPlane: cp, Root: root, log: o.Log, opts: o}
	if err := s.install(ctx); err != nil {
		logs := ""
		if s.Pods != nil {
			logs = tail(s.Pods.Logs(), 400)
		}
		_ = cp.Stop()
		return nil, fmt.Errorf("install Firebreak: %w\n%s", err, logs)
	}
	return s, nil
}

func tail(s string, lines int) string {
	all := strings.Split(s, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func (s *Stage) install(ctx context.Context) error {
	binary := filepath.Join(s.Root, "bin", "firebreak")
	if _, err := os.Stat(binary); err != nil {
		return fmt.Errorf("%w: build it with: make build", err)
	}
	images := map[string]string{image: binary}
	maps.Copy(images, s.opts.Images)
	pods, err := s.RunPods(ctx, controlplane.RunnerOptions{
		Namespace: Namespace, Deployment: "firebreak",
		Images: images, Links: s.opts.Links,
	})
	if err != nil {
		return fmt.Errorf("run Pods: %w", err)
	}
	s.Pods = pods
	if s.opts.Before != nil {
		if err := s.opts.Before(ctx, s); err != nil {
			return err
		}
	}
	args, err := s.chart("install")
	if err != nil {
		return err
	}
	if _, err := s.Helm(ctx, args...); err != nil {
		return err
	}
	return s.Ready(ctx)
}

// Upgrade upgrades the release to a chart, with further arguments of helm after those of the installation, and waits until the rollout has ended. It
// returns helm's output.
func (s *Stage) Upgrade(ctx context.Context, chart string, more ...string) (string, error) {
	s.opts.Chart = chart
	args, err := s.chart("upgrade")
	if err != nil {
		return "", err
	}
	out, err := s.Helm(ctx, append(args, more...)...)
	if err != nil {
		return out, err
	}
	return out, s.rolledOut(ctx)
}

// Ready waits until all replicas are ready.
func (s *Stage) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	if err := s.Pods.WaitReady(ctx, s.opts.Replicas); err != nil {
		return fmt.Errorf("wait for the server: %w", err)
	}
	return nil
}

// Settled waits, after the API server was away, until the leading replica has renewed its lease, and all are ready. A leader that could not renew it
// in time ends its process only then: a moment before, it is ready still.
func (s *Stage) Settled(ctx context.Context) error {
	c, err := kubernetes.NewForConfig(s.AdminConfig())
	if err != nil {
		return fmt.Errorf("read the leader's lease: %w", err)
	}
	back := time.Now()
	err = wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, 90*time.Second, true, func(ctx context.Context) (bool, error) {
		lease, err := c.CoordinationV1().Leases(Namespace).Get(ctx, "firebreak", metav1.GetOptions{})
		return err == nil && lease.Spec.RenewTime != nil && lease.Spec.RenewTime.After(back), nil // an error may pass
	})
	if err != nil {
		return fmt.Errorf("wait for the leader to renew its lease: %w", err)
	}
	return s.Ready(ctx)
}

// rolledOut waits until a rollout has ended, and the replicas before it with it. While they end, a connection that the API server has kept may be
// closed beneath a request.
func (s *Stage) rolledOut(ctx context.Context) error {
	if _, err := s.Kubectl(ctx, s.AdminConfig(), "rollout", "status", "deployment/firebreak", "-n", Namespace, "--timeout=90s"); err != nil {
		return err
	}
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, 90*time.Second, true, func(context.Context) (bool, error) {
		return !slices.ContainsFunc(s.Pods.Pods(), func(p controlplane.RunningPod) bool { return p.Terminating }), nil
	})
	if err != nil {
		return fmt.Errorf("wait for the replicas before the rollout to end: %w", err)
	}
	return nil
}

// chart returns helm's arguments for the release: where the API server finds the webhook here, and where its Pods run.
func (s *Stage) chart(verb string) ([]string, error) {
	_, port, err := net.SplitHostPort(s.Pods.Address())
	if err != nil {
		return nil, fmt.Errorf("address of the balancer: %w", err)
	}
	args := []string{verb, "firebreak", s.opts.Chart, "-n", Namespace}
	if verb == "install" {
		args = append(args, "--create-namespace")
	}
	for _, f := range s.opts.Files {
		args = append(args, "-f", f)
	}
	args = append(args,
		"--set", "cluster.name="+s.opts.Cluster,
		"--set", "image.repository="+image,
		"--set", fmt.Sprintf("replicas=%d", s.opts.Replicas),
		"--set", "drainSeconds=1",
		"--set", "webhook.url=https://localhost:"+port,
		"--set", "webhook.extraDNSNames={localhost}",
		"--set-json", `tolerations=[{"key":"firebreak.dev/pod-runner","operator":"Exists"}]`,
		"--set-string", `nodeSelector.firebreak\.dev/pod-runner=true`,
	)
	for _, v := range s.opts.Values {
		args = append(args, "--set", v)
	}
	return args, nil
}

// Helm runs helm as the administrator.
func (s *Stage) Helm(ctx context.Context, args ...string) (string, error) {
	return s.run(ctx, s.Bin("helm"), s.AdminConfig(), args...)
}

// Kubectl runs kubectl as the user of a configuration.
func (s *Stage) Kubectl(ctx context.Context, cfg *rest.Config, args ...string) (string, error) {
	return s.run(ctx, s.Bin("kubectl"), cfg, args...)
}

// KubectlWith runs kubectl with a text on standard input.
func (s *Stage) KubectlWith(ctx context.Context, cfg *rest.Config, stdin string, args ...string) (string, error) {
	return s.runWith(ctx, strings.NewReader(stdin), s.Bin("kubectl"), cfg, args...)
}

// Plugin runs kubectl firebreak as the user of a configuration.
func (s *Stage) Plugin(ctx context.Context, cfg *rest.Config, args ...string) (string, error) {
	return s.run(ctx, filepath.Join(s.Root, "bin", "kubectl-firebreak"), cfg, args...)
}

func (s *Stage) run(ctx context.Context, binary string, cfg *rest.Config, args ...string) (string, error) {
	return s.runWith(ctx, nil, binary, cfg, args...)
}

func (s *Stage) runWith(ctx context.Context, stdin io.Reader, binary string, cfg *rest.Config, args ...string) (string, error) {
	kubeconfig, err := s.Kubeconfig(cfg, "")
	if err != nil {
		return "", fmt.Errorf("write a kubeconfig: %w", err)
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "HELM_CACHE_HOME="+s.Dir(), "HELM_CONFIG_HOME="+s.Dir(), "HELM_DATA_HOME="+s.Dir(),
		"GOGC=400") // a fifth of what so short a process costs is collecting garbage otherwise
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &out
	err = cmd.Run()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s", filepath.Base(binary), strings.Join(args, " "), err, out.String())
	}
	return out.String(), err
}

// Metrics returns the metrics of every replica that answers.
func (s *Stage) Metrics(ctx context.Context) (string, error) {
	var out strings.Builder
	for _, p := range s.Pods.Pods() {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.IP+":8080/metrics", nil)
		if err != nil {
			return "", fmt.Errorf("ask for metrics: %w", err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			continue // the replica is starting, or stopping
		}
		_, err = io.Copy(&out, resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return "", fmt.Errorf("read the metrics of %s: %w", p.Name, err)
		}
	}
	return out.String(), nil
}

// Client returns a client that acts as the user of a configuration.
func (s *Stage) Client(cfg *rest.Config) (client.Client, error) {
	scheme, err := scheme.New()
	if err != nil {
		return nil, err
	}
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1
	return client.New(cfg, client.Options{Scheme: scheme})
}
