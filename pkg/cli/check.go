package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-dev/firebreak/pkg/estate"
	"github.com/firebreak-dev/firebreak/pkg/policy"
)

type checkOptions struct {
	files, with, old []string
	as               string
	groups           []string
	namespace        string
	operation        string
	at               string
	output           string
	cluster          string
	defaultEnv       string
	home             string
	readSecrets      bool
	// audit is true if the stored objects of all kinds that are judged are read too.
	audit bool
}

// instant returns the instant to judge by: that of --at, or now.
func (o *checkOptions) instant(now time.Time) (time.Time, error) {
	if o.output != "text" && o.output != "json" {
		return now, fmt.Errorf("--output is text or json, not %q", o.output)
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
	f.StringVarP(&o.output, "output", "o", "text", "text or json")
	f.StringVar(&o.cluster, "cluster-name", "", "name of the cluster, as windows name it")
	f.StringVar(&o.defaultEnv, "default-environment", "", "environment of namespaces that none claims")
	f.StringVar(&o.home, "firebreak-namespace", "firebreak-system", "namespace that Firebreak runs in")
	f.BoolVar(&o.readSecrets, "read-secrets", false, "judge what workloads take from Secrets, as a server with --read-secrets does; the Secrets come from --with")
	e.config.worldFlags(f)
}

func (e *env) check() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check -f FILE|DIR|-",
		Short: "Judge manifests as the webhook would, without sending them anywhere",
		Long: `Judges manifests as the webhook would.

The estate (Environments, DataStores, Namespaces, Services, ChangeWindows, ChangeApprovals, …) comes from --with, or,
without it, from the cluster of the current kubeconfig. Exit status: 0, all are admitted; 1, something is denied; 2,
something cannot be judged.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runCheck(cmd.Context(), &o) },
	}
	f := cmd.Flags()
	f.StringArrayVarP(&o.files, "filename", "f", nil, "manifest, folder of manifests, or - (repeatable)")
	f.StringArrayVar(&o.with, "with", nil, "file or folder with the estate and the change state (repeatable)")
	f.StringArrayVar(&o.old, "old", nil, "file or folder with the objects before an update or a deletion (repeatable)")
	f.StringVar(&o.as, "as", "", "user who sends the request; offline default: a person who is member of nothing")
	f.StringArrayVar(&o.groups, "as-group", nil, "group of that user (repeatable)")
	f.StringVarP(&o.namespace, "namespace", "n", "", "namespace of objects that name none")
	f.StringVar(&o.operation, "operation", "", "create, update or delete; default: update for objects that are known already, else create")
	f.StringVar(&o.at, "at", "", "instant to judge by, in RFC 3339; default: now")
	e.worldFlags(f, &o)
	_ = cmd.MarkFlagRequired("filename")
	return cmd
}

func (e *env) runCheck(ctx context.Context, o *checkOptions) error {
	at, err := o.instant(e.clock())
	if err != nil {
		return err
	}
	docs, err := readAll(o.files, e.In)
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
	for _, d := range docs {
		if err := known.define(d.Object); err != nil {
			return err
		}
	}
	report := Report{Results: []Result{}}
	for _, r := range known.malformed(declaredFile) {
		report.add(r)
	}
	for _, d := range docs {
		report.add(known.judge(d, o, at))
	}
	if err := report.print(e.Out, o.output); err != nil {
		return err
	}
	return report.exit()
}

// judge checks one document.
func (k *snapshot) judge(d document, o *checkOptions, at time.Time) Result {
	r := Result{File: d.File, Document: d.Index}
	if d.Err != nil {
		return r.undecided(d.Err)
	}
	if err := strictly(d.Object); err != nil {
		return r.undecided(err)
	}
	req, err := k.requestOf(d.Object, o, at)
	if err != nil {
		return r.undecided(err)
	}
	r.Kind, r.Namespace, r.Name = req.Kind.Kind, req.Namespace, req.Name
	if why := policy.NotSent(*req); why != "" {
		return r.decided(req, &policy.Decision{Allowed: true, Warnings: []string{"the API server does not ask Firebreak about this kind, since " + why}})
	}
	decision, err := k.evaluate(req)
	if err != nil {
		return r.undecided(err)
	}
	return r.decided(req, decision)
}

// evaluate judges a request.
func (k *snapshot) evaluate(req *policy.Request) (*policy.Decision, error) {
	c, err := policy.PrepareWith(k.ctx, *req, k.view, k)
	if err != nil {
		return nil, err
	}
	*req = c.Request()
	return c.Decide(k.state), nil
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
