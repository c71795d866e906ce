package cli

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/firebreak-dev/firebreak/pkg/auditlog"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

func (e *env) replay() *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "replay FILE… | -",
		Short: "Say what of an API server's audit log would have been denied",
		Long: `Reads audit logs of the API server (audit.k8s.io/v1, one event in a line), in the order given (those that end with .gz are unpacked), judges each write as the webhook would have, by its user and
at its time, and says what would have been denied, to whom, and which identities write into production that no environment lists. What a log tells of namespaces,
Services, ConfigMaps, bindings and windows counts for what comes after it. Nothing is sent anywhere.

The estate comes from --with, such as the values of the chart and the output of kubectl get namespaces,services -o yaml, or from the cluster of the current
kubeconfig. Of events at level Metadata it is known who did what to which object, and not what that holds: those are judged by membership and change control alone,
and so it is said. Exit status: 0, nothing would have been denied; 1, something would; 2, there was nothing to judge, or lines could not be read.`,
		Example: `  kubectl firebreak replay --with values.yaml,namespaces.yaml /var/log/kubernetes/audit.log
  kubectl firebreak replay --as-if values.yaml audit-*.log.gz audit.log`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return e.runReplay(cmd.Context(), &o, args) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.with, "with", nil, "file or folder with the estate, namespaces and Services (repeatable)")
	f.StringArrayVar(&o.asIf, "as-if", nil, "file or folder with environments and data stores, such as values of the chart, to judge by instead of those of the same names (repeatable)")
	f.StringVar(&o.decisions, "decisions", "", "file to write the decision about each write to, one JSON object in a line")
	e.worldFlags(f, &o.checkOptions)
	return cmd
}

type replayOptions struct {
	checkOptions
	decisions string
}

// ReplayDecision is the decision about one write of a log, as --decisions writes it. Its form is stable.
type ReplayDecision struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Result
	// NoContent is true if it was judged without what it holds, and NoBefore if it was judged as if its object were made anew.
	NoContent bool `json:"noContent,omitempty"`
	NoBefore  bool `json:"noBefore,omitempty"`
}

// tellDecisions has a player write each decision.
func (p *player) tellDecisions(to io.Writer) {
	enc := json.NewEncoder(to)
	enc.SetEscapeHTML(false)
	p.each = func(line int, r *auditlog.Request, d *policy.Decision) error {
		res := Result{Kind: r.Kind.Kind, Namespace: r.Namespace, Name: r.Name}.decided(&r.Request, d)
		if err := enc.Encode(ReplayDecision{p.file, line, res, r.Judged == auditlog.NoContent, r.Judged == auditlog.NoBefore}); err != nil {
			return fmt.Errorf("write the decisions: %w", err)
		}
		return nil
	}
}

func (e *env) runReplay(ctx context.Context, o *replayOptions, files []string) (err error) {
	if err := checkOutput(o.output, forPeople()...); err != nil {
		return err
	}
	known, err := e.snapshot(ctx, &o.checkOptions, e.clock())
	if err != nil {
		return err
	}
	// What is stored now is not how it was before a write of the log, and is not asked for event by event.
	known.cluster = nil
	p := newPlayer(ctx, known, o.home)
	if o.decisions != "" {
		f, err := os.Create(o.decisions)
		if err != nil {
			return fmt.Errorf("write the decisions: %w", err)
		}
		out := bufio.NewWriter(f)
		p.tellDecisions(out)
		defer func() { err = errors.Join(err, out.Flush(), f.Close()) }()
	}
	for _, file := range files {
		if err := e.replayFile(file, p); err != nil {
			return err
		}
	}
	report := p.report()
	if o.output != "text" {
		err = printAs(e.Out, o.output, report)
	} else {
		err = report.print(e.Out)
	}
	if err != nil {
		return err
	}
	switch {
	case report.Judged == 0, report.Unreadable > 0:
		return ExitError{2}
	case report.Denied > 0:
		return ExitError{1}
	}
	return nil
}

func (e *env) replayFile(file string, p *player) error {
	p.file = file
	in, size := e.In, int64(0)
	if file != "-" {
		f, n, err := openLog(file)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // it was only read
		in, size = f, n
	}
	r := auditlog.NewReader(in)
	show := e.bar(size)
	defer show(-1)
	for {
		ev, err := r.Next()
		var wrong auditlog.LineError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &wrong):
			p.unreadable(file, wrong)
		case err != nil:
			return err
		default:
			if err := p.play(ev, r.Line()); err != nil {
				return err
			}
		}
		show(r.Bytes())
	}
}

// unpacked is a log that is unpacked while it is read.
type unpacked struct {
	*gzip.Reader
	file *os.File
}

func (u unpacked) Close() error { return errors.Join(u.Reader.Close(), u.file.Close()) }

// openLog opens an audit log, which API servers pack when they begin another, and returns its size; 0: it is not known.
func openLog(file string) (io.ReadCloser, int64, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, fmt.Errorf("open the audit log: %w", err)
	}
	if strings.HasSuffix(file, ".gz") {
		r, err := gzip.NewReader(f)
		if err != nil {
			return nil, 0, errors.Join(fmt.Errorf("unpack the audit log %s: %w", file, err), f.Close())
		}
		return unpacked{r, f}, 0, nil
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("open the audit log: %w", err), f.Close())
	}
	return f, info.Size(), nil
}

// bar returns what is told how many bytes of a file were read, and shows that on a terminal; -1 ends it.
func (e *env) bar(size int64) func(int64) {
	f, ok := e.ErrOut.(*os.File)
	if size == 0 || !ok || !term.IsTerminal(int(f.Fd())) {
		return func(int64) {}
	}
	var last time.Time
	return func(n int64) {
		if n < 0 {
			fmt.Fprint(f, "\r\x1b[K")
			return
		}
		if now := time.Now(); now.Sub(last) > time.Second/5 {
			last = now
			fmt.Fprintf(f, "\r%3d%% of %d MiB replayed", n*100/size, size>>20)
		}
	}
}

// kindsOf knows the kinds of Kubernetes' own resources, and of those that were defined.
func kindsOf(k *snapshot) auditlog.Kinds {
	table := map[schema.GroupVersionResource]schema.GroupVersionKind{}
	for gvk := range clientgoscheme.Scheme.AllKnownTypes() {
		plural, _ := meta.UnsafeGuessKindToResource(gvk)
		if _, taken := table[plural]; !taken || gvk.Kind < table[plural].Kind {
			table[plural] = gvk
		}
	}
	return func(gvr schema.GroupVersionResource) (schema.GroupVersionKind, bool) {
		if gvk, ok := table[gvr]; ok {
			return gvk, true
		}
		for gk, d := range k.defined {
			if gk.Group == gvr.Group && d.plural == gvr.Resource {
				return gk.WithVersion(gvr.Version), true
			}
		}
		return schema.GroupVersionKind{}, false
	}
}

// denialInAuditLog looks for a denial in an audit log; nil: it is not there.
func denialInAuditLog(ctx context.Context, file, id string) (*denial, error) {
	f, _, err := openLog(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	r := auditlog.NewReader(f)
	var d *denial
	for ctx.Err() == nil {
		ev, err := r.Next()
		var wrong auditlog.LineError
		switch {
		case errors.Is(err, io.EOF):
			return d, nil
		case errors.As(err, &wrong):
			continue
		case err != nil:
			return nil, err
		}
		if ev.ResponseStatus == nil || policy.DenialIDIn(ev.ResponseStatus.Message) != id {
			continue
		}
		at := ev.Received.Time
		if d == nil {
			d = &denial{ID: id, User: ev.Requester().Username, Message: sentenceIn(ev.ResponseStatus.Message), First: &at, Source: fmt.Sprintf("%s, line %d", file, r.Line())}
			if ref := ev.ObjectRef; ref != nil {
				d.About, d.Namespace = ref.Resource+" "+ref.Name, ref.Namespace
			}
		}
		d.Last = &at
		d.Times++
	}
	return d, ctx.Err()
}
