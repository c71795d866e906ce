package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/ui"
)

type uiOptions struct {
	port               int
	zone, home, export string
	inCluster
}

func (e *env) ui() *cobra.Command {
	var o uiOptions
	cmd := &cobra.Command{
		Use:   "ui",
		Short: "Show a page: what is open and frozen, what waits for you, a calendar, what changed, and the estate",
		Long: `Serves a page to a browser on this machine, at an address that holds a secret, until interrupted. The page reads and acts with your kubeconfig, so what you
approve on it, you approve, and you see what you may see. The contexts of the kubeconfig are the clusters that it shows.

--export writes the calendar of this month and the next, with the freezes, into a folder instead, as files that any web server can serve: times, environments, the
names of windows and the reasons of freezes, and nothing that windows would run or who asked for them.`,
		Example: `  kubectl firebreak ui
  kubectl firebreak ui --port 8300 --zone Europe/Berlin
  kubectl firebreak ui --export /srv/status`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runUI(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.IntVar(&o.port, "port", 0, "port to serve on; default: one that is free")
	f.StringVar(&o.zone, "zone", "", "time zone to show times in, such as Europe/Berlin; default: this machine's")
	f.StringVar(&o.export, "export", "", "folder to write the calendar into, instead of serving anything")
	f.StringVar(&o.home, "firebreak-namespace", "firebreak-system", "namespace that Firebreak runs in")
	o.flags(f)
	return cmd
}

// location returns the time zone that times are shown in.
func (o *uiOptions) location() (*time.Location, error) {
	if o.zone == "" {
		return time.Local, nil
	}
	zone, err := time.LoadLocation(o.zone)
	if err != nil {
		return nil, fmt.Errorf("--zone: %w", err)
	}
	return zone, nil
}

func (e *env) runUI(ctx context.Context, o *uiOptions) error {
	zone, err := o.location()
	if err != nil {
		return err
	}
	switch {
	case o.export != "":
		return e.exportCalendar(ctx, o, zone)
	case o.serve != "":
		return e.serveInCluster(ctx, o, zone)
	}
	klog.SetLogger(logr.Discard()) // client-go tells there of every stream that a viewer leaves
	desks, clusters, err := e.desks(o.home)
	if err != nil {
		return err
	}
	var secret [24]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return fmt.Errorf("make a secret: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", o.port))
	if err != nil {
		return fmt.Errorf("serve the page: %w", err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return fmt.Errorf("serve the page: %w", err)
	}
	prefix := hex.EncodeToString(secret[:])
	page, err := ui.New(ui.Options{
		Clusters: clusters, Prefix: prefix, Hosts: []string{"127.0.0.1:" + port, "localhost:" + port}, Clock: e.clock, Zone: zone,
		Desk: func(_ *http.Request, cluster string) (ui.Desk, error) { return desks.of(cluster) },
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(e.Out, "Open http://127.0.0.1:%s/%s/ in a browser on this machine. Whoever knows this address acts as you; interrupt this command when you are done.\n", port, prefix)
	return serve(ctx, l, page)
}

// serve serves until the context ends. Streams of events end with it.
func serve(ctx context.Context, l net.Listener, page http.Handler) error {
	s := &http.Server{Handler: page, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 32 << 10, IdleTimeout: 2 * time.Minute, BaseContext: func(net.Listener) context.Context { return ctx }}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve the page: %w", err)
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := s.Shutdown(closing); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("end serving the page: %w", err)
	}
	return nil
}

// desks are those of the kubeconfig's contexts, which are made when they are first looked at.
type desks struct {
	env  *env
	home string
	mu   sync.Mutex
	made map[string]*desk
}

// desks returns the desks and the names of the contexts, the present one first.
func (e *env) desks(home string) (*desks, []string, error) {
	raw, err := e.config.loader().RawConfig()
	if err != nil {
		return nil, nil, fmt.Errorf("load the kubeconfig: %w", err)
	}
	present := raw.CurrentContext
	if chosen := e.config.overrides.CurrentContext; chosen != "" {
		present = chosen
	}
	var names []string
	for name := range raw.Contexts {
		if name != present {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if e.config.pinned() {
		names = nil // the flags say which cluster, or as whom: the other contexts would be taken for that one
	}
	if raw.Contexts[present] == nil {
		return nil, nil, fmt.Errorf("the kubeconfig has no context %q; name one with --context", present)
	}
	return &desks{env: e, home: home, made: map[string]*desk{}}, append([]string{present}, names...), nil
}

func (d *desks) of(cluster string) (*desk, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if made := d.made[cluster]; made != nil {
		return made, nil
	}
	e, config := *d.env, *d.env.config
	config.overrides.CurrentContext = cluster
	e.config = &config
	made, err := e.desk(d.home)
	if err != nil {
		return nil, err
	}
	d.made[cluster] = made
	return made, nil
}

// How many requests a second the page may send, and how many at once: it reads more than a command does.
const (
	pageQPS   = 100
	pageBurst = 200
)

// desk returns the desk of the kubeconfig's context.
func (e *env) desk(home string) (*desk, error) {
	cfg, err := e.config.loader().ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("load the kubeconfig: %w", err)
	}
	return e.deskOf(cfg, home)
}

// deskOf returns the desk of whoever a configuration acts as.
func (e *env) deskOf(cfg *rest.Config, home string) (*desk, error) {
	cfg.QPS, cfg.Burst = pageQPS, pageBurst
	cfg.WarningHandlerWithContext = warnings{e.ErrOut}
	m, err := mapper(cfg)
	if err != nil {
		return nil, err
	}
	c, err := client.New(cfg, client.Options{Scheme: e.scheme, Mapper: m})
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &desk{env: e, c: c, home: home}, nil
}

// exportCalendar writes the calendar of this month and the next into a folder, each file whole or not at all.
func (e *env) exportCalendar(ctx context.Context, o *uiOptions, zone *time.Location) error {
	d, err := e.desk(o.home)
	if err != nil {
		return err
	}
	files, err := ui.Export(ctx, d, e.clock(), zone)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.export, 0o755); err != nil { //nolint:gosec // a web server reads it
		return fmt.Errorf("make the folder: %w", err)
	}
	for name, raw := range files {
		if err := replaceFile(filepath.Join(o.export, name), raw); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(e.Out, "%d files are in %s; index.html is the first.\n", len(files), o.export)
	return err
}

// replaceFile writes a file that others may be reading.
func replaceFile(name string, raw []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = f.Write(raw)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
