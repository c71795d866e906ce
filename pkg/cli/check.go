package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

type checkOptions struct {
	files, with, old []string
	// namespaceFiles are read like those of with.
	namespaceFiles []string
	as             string
	groups         []string
	namespace      string
	operation      string
	at             string
	output         string
	cluster        string
	defaultEnv     string
	home           string
	readSecrets    bool
	// asIf are files with an estate that takes the place of the one that is stored.
	asIf []string
	// chart is rendered instead of files, which then hold its values.
	chart string
	// diff is a revision: what the files held then is not told again.
	diff       string
	failOn     string
	allowEmpty bool
	// proposal is true if what is declared is proposed by the command itself.
	proposal bool
	// audit is true if the stored objects of all kinds that are judged are read too.
	audit bool
}

// proposes reports whether a command judges by what somebody proposes to declare, which works before Firebreak is installed, too.
func (o *checkOptions) proposes() bool { return o.proposal || len(o.asIf) > 0 }

// instant returns the instant to judge by: that of --at, or now.
func (o *checkOptions) instant(now time.Time) (time.Time, error) {
	if err := checkOutput(o.output, formatNames()...); err != nil {
		return now, err
	}
	if o.at == "" {
		return now, nil
	}
	at, err := time.Parse(time.RFC3339, o.at)
	if err != nil {
		return now, fmt.Errorf("--at: %w", err)
	}
	return at, nil
}

// worldFlags adds the flags for the server's settings and for the form of the output.
func (e *env) worldFlags(f *pflag.FlagSet, o *checkOptions) {
	f.StringVarP(&o.output, "output", "o", "text", oneOf(formatNames()))
	f.StringVar(&o.cluster, "cluster-name", "", "name of the cluster, as windows name it")
	f.StringVar(&o.defaultEnv, "default-environment", "", "environment of namespaces that none claims")
	f.StringVar(&o.home, "firebreak-namespace", "firebreak-system", "namespace that Firebreak runs in")
	f.BoolVar(&o.readSecrets, "read-secrets", false, "judge what workloads take from Secrets, as a server with --read-secrets does; the Secrets come from --with")
	e.config.worldFlags(f)
}

func (e *env) check() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check -f FILE|DIR|- | --helm CHART [FILE…]",
		Short: "Judge manifests as the webhook would, without sending them anywhere",
		Long: `Judges manifests as the webhook would.

The estate (Environments, DataStores, Namespaces, Services, ChangeWindows, ChangeApprovals, …) comes from --with, or,
without it, from the cluster of the current kubeconfig. A folder with a kustomization is rendered first, with the remote bases
that it names, as kubectl kustomize does, and so is the chart of --helm, with the values of -f. Exit status: 0, all are admitted; 1, something is denied (or warned of, with --fail-on
warn); 2, something cannot be judged, or there is nothing to judge.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.files = append(o.files, args...) // as pre-commit gives them
			return e.runCheck(cmd.Context(), &o)
		},
	}
	f := cmd.Flags()
	f.StringArrayVarP(&o.files, "filename", "f", nil, "manifest, folder of manifests or of a kustomization, or -; with --helm, a values file (repeatable)")
	f.StringVar(&o.chart, "helm", "", "chart to render, as helm template does, and to judge")
	f.StringVar(&o.diff, "diff", "", "revision of git: only what the files did not hold then is told")
	f.StringVar(&o.failOn, "fail-on", "deny", "deny or warn: what makes the exit status 1")
	f.BoolVar(&o.allowEmpty, "allow-empty", false, "it is right that there is nothing to judge")
	f.StringArrayVar(&o.with, "with", nil, "file or folder with the estate and the change state (repeatable)")
	f.StringArrayVar(&o.namespaceFiles, "namespaces", nil, "file with the namespaces of the cluster, for environments that claim them by label; the same as --with, beside it (repeatable)")
	f.StringArrayVar(&o.old, "old", nil, "file or folder with the objects before an update or a deletion (repeatable)")
	f.StringVar(&o.as, "as", "", "user who sends the request; offline default: a person who is member of nothing")
	f.StringArrayVar(&o.groups, "as-group", nil, "group of that user (repeatable)")
	f.StringVarP(&o.namespace, "namespace", "n", "", "namespace of objects that name none")
	f.StringVar(&o.operation, "operation", "", "create, update or delete; default: update for objects that are known already, else create")
	f.StringVar(&o.at, "at", "", "instant to judge by, in RFC 3339; default: now")
	e.worldFlags(f, &o)
	return cmd
}

func (e *env) runCheck(ctx context.Context, o *checkOptions) error {
	o.with = append(o.with, o.namespaceFiles...) // two flags of one list would each begin it anew
	at, err := o.instant(e.clock())
	if err != nil {
		return err
	}
	docs, before, err := e.toJudge(ctx, o)
	if err != nil {
		return err
	}
	known, err := e.snapshot(ctx, o, at)
	if err != nil {
		return err
	}
	if err := known.addOld(o.old); err != nil {
		return err
	}
	known.addRoles(docs, o.namespace)
	known.addNamespaces(docs)
	for _, d := range docs {
		if err := known.define(d.Object); err != nil {
			return err
		}
	}
	report := Report{Results: []Result{}}
	for _, r := range known.malformed(declaredFile) {
		report.add(r)
	}
	old := map[sin]bool{}
	for _, r := range e.judgeAll(known, before, o, at) {
		for _, s := range sinsOf(&r) {
			old[s] = true
		}
	}
	for _, r := range e.judgeAll(known, docs, o, at) {
		r.onlyNew(old)
		report.add(r)
	}
	if len(docs) == 0 && !o.allowEmpty {
		report.Notes = append(report.Notes, fmt.Sprintf("there is nothing to judge in %s; use --allow-empty if that is meant", strings.Join(o.given(), ", ")))
	}
	if err := report.print(e.Out, o.output); err != nil {
		return err
	}
	return report.exit(o.failOn)
}

// given names what is to be judged.
func (o *checkOptions) given() []string {
	if o.chart != "" {
		return []string{o.chart}
	}
	return o.files
}

// toJudge reads what is to be judged: manifests, folders that kustomize renders, or a chart; and what the files held before, for --diff.
func (e *env) toJudge(ctx context.Context, o *checkOptions) (docs, before []document, err error) {
	switch {
	case o.failOn != "deny" && o.failOn != "warn":
		return nil, nil, fmt.Errorf("--fail-on is deny or warn, not %q", o.failOn)
	case o.chart != "" && o.diff != "":
		return nil, nil, errors.New("--diff compares files; what a chart renders has no revision")
	case o.chart != "":
		docs, err = charted(ctx, o.chart, o.files, o.namespace)
		return docs, nil, err
	case len(o.files) == 0:
		return nil, nil, errors.New("give what to judge: -f FILE|DIR|-, or --helm CHART")
	}
	for _, path := range o.files {
		var more []document
		if holds(path, kustomizations()...) {
			if o.diff != "" {
				return nil, nil, fmt.Errorf("--diff compares files; what the kustomization in %s renders has no revision", path)
			}
			more, err = kustomized(path)
		} else {
			more, err = readAll([]string{path}, e.In)
		}
		if err != nil {
			return nil, nil, err
		}
		docs = append(docs, more...)
	}
	if o.diff != "" {
		before, err = atRevision(ctx, o.diff, o.files)
	}
	return docs, before, err
}

// judgeAll judges documents, as many at once as there are processors, and says on a terminal how far it is.
func (e *env) judgeAll(known *snapshot, docs []document, o *checkOptions, at time.Time) []Result {
	out := make([]Result, len(docs))
	done := e.progress(len(docs))
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(docs)) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(docs)); i = next.Add(1) - 1 {
				out[i] = known.judge(docs[i], o, at)
				done(next.Load())
			}
		})
	}
	all.Wait()
	done(-1)
	return out
}

// progress returns what is told how many of all documents were begun. It writes to a terminal only, and only where there is much to do; -1 ends it.
func (e *env) progress(all int) func(int64) {
	f, ok := e.ErrOut.(*os.File)
	if all < 200 || !ok || !term.IsTerminal(int(f.Fd())) {
		return func(int64) {}
	}
	var shown atomic.Int64
	return func(n int64) {
		switch {
		case n < 0:
			fmt.Fprint(f, "\r\x1b[K")
		case n%100 == 0 && shown.Swap(n) != n:
			fmt.Fprintf(f, "\r%d of %d judged", n, all)
		}
	}
}

// judge checks one document.
func (k *snapshot) judge(d document, o *checkOptions, at time.Time) Result {
	r, _ := k.judged(d, o, at)
	return r
}

// judged checks one document, and returns the request that it makes; nil: there is none that could be decided.
func (k *snapshot) judged(d document, o *checkOptions, at time.Time) (Result, *policy.PreparedRequest) {
	r := Result{File: d.File, Document: d.Index, Line: d.Line}
	if why := unrendered(&d); why != "" {
		return r.undecided(errors.New(why)), nil
	}
	if d.Err != nil {
		return r.undecided(d.Err), nil
	}
	if err := strictly(d.Object); err != nil {
		return r.undecided(err), nil
	}
	req, err := k.requestOf(d.Object, o, at)
	if err != nil {
		return r.undecided(err), nil
	}
	r.Kind, r.Namespace, r.Name = req.Kind.Kind, req.Namespace, req.Name
	if why := policy.NotSent(*req); why != "" {
		return r.decided(req, &policy.Decision{Allowed: true, Warnings: []string{"the API server does not ask Firebreak about this kind, since " + why}}), nil
	}
	c, err := policy.PrepareWith(k.ctx, *req, k.view, k)
	if err != nil {
		return r.undecided(err), nil
	}
	*req = c.Request()
	r = r.decided(req, k.decide(c, nil))
	if d.Line == 0 || len(r.Findings) == 0 {
		return r, c
	}
	l := linesOf(d.raw)
	for i := range r.Findings {
		r.Findings[i].Line = d.Line - 1 + l.of(r.Findings[i].Path)
	}
	return r, c
}

func (k *snapshot) requestOf(u *unstructured.Unstructured, o *checkOptions, at time.Time) (*policy.Request, error) {
	gvk := u.GroupVersionKind()
	resource, clusterWide := k.resource(gvk)
	ns := u.GetNamespace()
	switch {
	case clusterWide:
		ns = ""
		if gvk.Kind == "Namespace" {
			ns = u.GetName()
		}
	case ns == "":
		ns = o.namespace
		if ns == "" {
			ns = k.namespace
		}
		u.SetNamespace(ns)
	}
	// The API server would set it to the present; one that an exported manifest carries would be judged by its past.
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	raw, err := json.Marshal(u.Object)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	old, err := k.old(gvk, ns, u.GetName())
	if err != nil {
		return nil, err
	}
	req := &policy.Request{
		Operation: policy.Create, Kind: gvk, Resource: resource, Namespace: ns, Name: u.GetName(),
		User: k.user(o), Object: raw, OldObject: old, Now: at,
	}
	return req, operate(req, o.operation, old)
}

// operate sets the operation of a request, and which objects it has before and after.
func operate(req *policy.Request, operation string, old []byte) error {
	switch operation {
	case "":
		if old != nil {
			req.Operation = policy.Update
		}
	case "create":
		req.OldObject = nil
	case "update":
		req.Operation = policy.Update
		if old == nil {
			return errors.New("the object before the update is not known; give it with --old")
		}
	case "delete":
		req.Operation = policy.Delete
		if old == nil {
			req.OldObject = req.Object
		}
		req.Object = nil
	default:
		return fmt.Errorf("--operation is create, update or delete, not %q", operation)
	}
	return nil
}

// genuine stands for the UID of a service account of which only the name is known.
const genuine = "genuine"

// user returns the user to judge. A service account is taken for the genuine one, not an impersonated one.
func (k *snapshot) user(o *checkOptions) authenticationv1.UserInfo {
	if o.as == "" {
		if k.self != nil {
			return *k.self
		}
		return authenticationv1.UserInfo{Username: "somebody", Groups: []string{"system:authenticated"}}
	}
	u := authenticationv1.UserInfo{Username: o.as, Groups: append(append([]string{}, o.groups...), "system:authenticated")}
	if ns, _, ok := estate.ServiceAccount(o.as); ok {
		u.UID = genuine
		u.Extra = map[string]authenticationv1.ExtraValue{"authentication.kubernetes.io/credential-id": {genuine}}
		u.Groups = append(u.Groups, "system:serviceaccounts", "system:serviceaccounts:"+ns)
	}
	return u
}
