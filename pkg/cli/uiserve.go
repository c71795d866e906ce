package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/overview"
	"github.com/firebreak-dev/firebreak/pkg/signin"
	"github.com/firebreak-dev/firebreak/pkg/ui"
)

// inCluster says how the page is served to others, from a Deployment of its own.
type inCluster struct {
	serve, url, name, certFile, keyFile           string
	issuer, clientID, secretFile, issuerAuthority string
	wallboard                                     bool
}

func (o *inCluster) flags(f *pflag.FlagSet) {
	f.StringVar(&o.serve, "serve", "", "serve the page to others at this address, such as :8443, as the chart's ui.enabled does")
	f.StringVar(&o.url, "url", "", "with --serve: address under which browsers reach the page, such as https://firebreak.example.com")
	f.StringVar(&o.name, "cluster-name", "cluster", "with --serve: name of the cluster")
	f.StringVar(&o.certFile, "tls-cert-file", "", "with --serve: certificate; without one, something before it must speak HTTPS")
	f.StringVar(&o.keyFile, "tls-private-key-file", "", "with --serve: key of the certificate")
	f.StringVar(&o.issuer, "oidc-issuer", "", "with --serve: issuer of OpenID Connect that the API server trusts; viewers sign in there, and act with their own tokens")
	f.StringVar(&o.clientID, "oidc-client-id", "", "with --oidc-issuer: client that the API server trusts")
	f.StringVar(&o.secretFile, "oidc-client-secret-file", "", "with --oidc-issuer: file with the client's secret, if it has one")
	f.StringVar(&o.issuerAuthority, "oidc-ca-file", "", "with --oidc-issuer: certificate authority of the issuer")
	f.BoolVar(&o.wallboard, "wallboard", false, "with --serve: show everybody when production is open, with this program's own rights: no texts of windows, and nothing that acts")
}

// validate returns an error for what does not belong together.
func (o *inCluster) validate() error {
	u, err := url.Parse(o.url)
	switch {
	case err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "":
		return fmt.Errorf("--serve needs --url, scheme and host under which browsers reach the page, such as https://firebreak.example.com, not %q", o.url)
	case o.wallboard == (o.issuer != ""):
		return errors.New("--serve needs either --wallboard or --oidc-issuer")
	case o.issuer != "" && o.clientID == "":
		return errors.New("--oidc-issuer needs --oidc-client-id")
	case (o.certFile == "") != (o.keyFile == ""):
		return errors.New("--tls-cert-file and --tls-private-key-file belong together")
	}
	return nil
}

// serveInCluster serves the page to others.
func (e *env) serveInCluster(ctx context.Context, o *uiOptions, zone *time.Location) error {
	if err := o.validate(); err != nil {
		return err
	}
	klog.SetLogger(logr.Discard()) // client-go tells there of every stream that a viewer leaves
	cfg, err := e.config.loader().ClientConfig()
	if err != nil {
		return fmt.Errorf("load the kubeconfig: %w", err)
	}
	public, err := url.Parse(o.url)
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	options := ui.Options{Clusters: []string{o.name}, Hosts: []string{hostOf(public)}, HTTPS: public.Scheme == "https", Clock: e.clock, Zone: zone, Wallboard: o.wallboard}
	if o.wallboard {
		own, err := e.deskOf(rest.CopyConfig(cfg), o.home)
		if err != nil {
			return err
		}
		options.Desk = func(*http.Request, string) (ui.Desk, error) { return &wallboard{own}, nil }
		options.Fault = func(err error) string {
			fmt.Fprintln(e.ErrOut, err)
			return "The cluster cannot be read at the moment."
		}
	} else {
		gate, err := o.gate(ctx, e.clock)
		if err != nil {
			return err
		}
		viewers := &viewers{env: e, cfg: cfg, home: o.home, made: lru.New(mostViewers)}
		options.Gate, options.Desk = gate.Wrap, viewers.desk
	}
	page, err := ui.New(options)
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.serve)
	if err != nil {
		return fmt.Errorf("serve the page: %w", err)
	}
	if o.certFile != "" {
		watcher, err := certwatcher.New(o.certFile, o.keyFile) // a certificate that is renewed is served at once
		if err != nil {
			return fmt.Errorf("read the certificate: %w", err)
		}
		go func() { _ = watcher.Start(ctx) }() // without it, the certificate stays the one that was read
		l = tls.NewListener(l, &tls.Config{GetCertificate: watcher.GetCertificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}})
	}
	fmt.Fprintf(e.Out, "Serving %s at %s.\n", o.url, l.Addr())
	return serve(ctx, l, healthy(page))
}

// hostOf returns the host of an address as browsers send it: in lower case, and without the port that its scheme has anyway.
func hostOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	port := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]
	return strings.TrimSuffix(host, port)
}

// healthy answers probes, which come under other names.
func healthy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			_, _ = w.Write([]byte("ok")) // whoever asked may be gone
			return
		}
		next.ServeHTTP(w, r)
	})
}

// gate returns what viewers sign in at.
func (o *inCluster) gate(ctx context.Context, clock func() time.Time) (*signin.Gate, error) {
	s := signin.Options{Issuer: o.issuer, ClientID: o.clientID, URL: o.url, Clock: clock}
	if o.secretFile != "" {
		raw, err := os.ReadFile(o.secretFile)
		if err != nil {
			return nil, fmt.Errorf("read the client's secret: %w", err)
		}
		s.Secret = strings.TrimSpace(string(raw))
	}
	if o.issuerAuthority != "" {
		raw, err := os.ReadFile(o.issuerAuthority)
		if err != nil {
			return nil, fmt.Errorf("read the issuer's certificate authority: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(raw) {
			return nil, fmt.Errorf("%s holds no certificate", o.issuerAuthority)
		}
		s.Client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	}
	return signin.New(ctx, s)
}

// mostViewers is how many viewers' desks are kept.
const mostViewers = 200

// viewers are the desks of those who have signed in.
type viewers struct {
	env  *env
	cfg  *rest.Config
	home string
	made *lru.Cache
	// own is the desk of this program, for those whose token the API server does not take; it is made when somebody needs it.
	own   *desk
	ownMu sync.Mutex
}

// readOnly returns the desk of somebody whose token the API server does not take.
func (v *viewers) readOnly() (ui.Desk, error) {
	v.ownMu.Lock()
	defer v.ownMu.Unlock()
	if v.own == nil {
		own, err := v.env.deskOf(rest.CopyConfig(v.cfg), v.home)
		if err != nil {
			return nil, err
		}
		v.own = own
	}
	return &readOnly{wallboard{v.own}}, nil
}

// errNotTaken says that the API server does not know whoever has signed in.
var errNotTaken = errors.New("the API server does not take the token with which you signed in, so nothing can be shown or done in your name here; the same as commands, with your own kubeconfig: " +
	"kubectl firebreak pending, kubectl firebreak approve WINDOW -n NAMESPACE, kubectl firebreak windows, kubectl firebreak log, or the whole page on your own machine: kubectl firebreak ui")

// desk returns the desk of whoever sends a request: their token is what the API server sees, and nothing of this program's own.
func (v *viewers) desk(r *http.Request, _ string) (ui.Desk, error) {
	token := signin.Token(r)
	if token == "" {
		return nil, errNotTaken
	}
	key := sha256.Sum256([]byte(token))
	if made, ok := v.made.Get(key); ok {
		d, _ := made.(*desk)
		return d, nil
	}
	cfg := rest.AnonymousClientConfig(v.cfg)
	cfg.BearerToken = token
	asking, err := authenticationclient.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	// It is asked without discovery, whose own refusal would hide why.
	if _, err := asking.SelfSubjectReviews().Create(r.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{}); apierrors.IsUnauthorized(err) {
		return v.readOnly()
	} else if err != nil {
		return nil, fmt.Errorf("ask the cluster who you are: %w", err)
	}
	d, err := v.env.deskOf(cfg, v.home)
	if err != nil {
		return nil, err
	}
	v.made.Add(key, d)
	return d, nil
}

// wallboard is a desk that says when production is open, and what waits, and no more: nothing of a plan, and nothing that acts. It reads with this program's own rights,
// which are those of the ClusterRole firebreak-wallboard.
type wallboard struct{ *desk }

func (d *wallboard) Now(ctx context.Context) (*ui.Now, error) {
	e, _, notes := d.quiet()
	out := &ui.Now{}
	if err := d.environments(ctx, e, notes, out); err != nil {
		return nil, err
	}
	for i := range out.Environments {
		row := &out.Environments[i]
		for j := range row.Frozen {
			row.Frozen[j].By = ""
		}
		for j := range row.Open {
			row.Open[j] = bare(row.Open[j])
		}
		if row.Next != nil {
			next := bare(*row.Next)
			row.Next = &next
		}
	}
	out.Notes = forEverybody(notes)
	return out, nil
}

// bare leaves out of a window who asked for what, and why: everybody sees when it opens and closes.
func bare(l overview.WindowLine) overview.WindowLine {
	return overview.WindowLine{
		Namespace: l.Namespace, Name: l.Name, Type: l.Type, Environment: l.Environment, State: l.State, Opens: l.Opens, Closes: l.Closes, Approvals: l.Approvals, Freezes: l.Freezes,
	}
}

// forEverybody says that something is missing, and not why: that would say what this program may and may not do.
func forEverybody(notes *bytes.Buffer) []string {
	if len(noted(notes)) == 0 {
		return nil
	}
	return []string{"Something could not be read, so this is not all that there is."}
}

func (d *wallboard) Calendar(ctx context.Context, from, until time.Time) (*ui.Calendar, error) {
	out, err := d.desk.Calendar(ctx, from, until)
	if err != nil {
		return nil, err
	}
	public := &ui.Calendar{Freezes: out.Freezes, ICS: out.PublicICS}
	for _, o := range out.Openings {
		public.Openings = append(public.Openings, bare(o))
	}
	if len(out.Notes) > 0 {
		public.Notes = []string{"Something could not be read, so this is not all that there is."}
	}
	return public, nil
}

func (d *wallboard) Waiting(ctx context.Context) (*ui.Waiting, error) {
	e, _, notes := d.quiet()
	windows, _, err := e.windowsToSee(ctx, d.c)
	if err != nil {
		return nil, err
	}
	out := &ui.Waiting{Everybody: true, Notes: forEverybody(notes)}
	for i := range windows {
		if w := &windows[i]; (w.Status.Phase == "" || w.Status.Phase == v1alpha1.WindowPending) && w.DeletionTimestamp == nil && w.Spec.Type != v1alpha1.WindowEmergency {
			out.Approve = append(out.Approve, bare(overview.LineOf(w)))
		}
	}
	return out, nil
}

// readOnly is the desk of somebody who has signed in, and whom the API server does not know: they see what a wallboard shows, with the commands by which they can
// act with their own kubeconfig.
type readOnly struct{ wallboard }

func (d *readOnly) Now(ctx context.Context) (*ui.Now, error) {
	out, err := d.wallboard.Now(ctx)
	if err == nil {
		out.Notes = append(out.Notes, errNotTaken.Error())
	}
	return out, err
}

func (d *readOnly) Waiting(ctx context.Context) (*ui.Waiting, error) {
	out, err := d.wallboard.Waiting(ctx)
	if err == nil {
		out.Notes = append(out.Notes, errNotTaken.Error())
	}
	return out, err
}

func (d *readOnly) Window(ctx context.Context, namespace, name string) (*ui.Window, error) {
	var w v1alpha1.ChangeWindow
	if err := d.c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &w); err != nil {
		return nil, fmt.Errorf("look at the window: %w", err)
	}
	return &ui.Window{WindowLine: bare(overview.LineOf(&w)), ReadOnly: true, Screen: errNotTaken.Error()}, nil
}

// Approve does nothing.
func (*readOnly) Approve(context.Context, ui.Word) error { return errNotTaken }

// Reject does nothing.
func (*readOnly) Reject(context.Context, ui.Word) error { return errNotTaken }

func (*readOnly) Changes(context.Context, time.Time, time.Time) (*ui.Changes, error) {
	return &ui.Changes{Notes: []string{errNotTaken.Error()}}, nil
}

func (*readOnly) Estate(context.Context) (*ui.Estate, error) {
	return &ui.Estate{Notes: []string{errNotTaken.Error()}}, nil
}

func (*readOnly) Crossings(context.Context) (*ui.Crossings, error) {
	return &ui.Crossings{Notes: []string{errNotTaken.Error()}}, nil
}
