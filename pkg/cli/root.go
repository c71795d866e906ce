package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
	"github.com/firebreak-dev/firebreak/pkg/scheme"
	"github.com/firebreak-dev/firebreak/pkg/version"
)

// ExitError carries an exit status. The command has printed its message, if any, already.
type ExitError struct{ Code int }

func (e ExitError) Error() string { return fmt.Sprintf("exit status %d", e.Code) }

// Code returns the exit status for an error: 0 for nil, that of an ExitError, otherwise 2.
func Code(err error) int {
	var exit ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.Code
	}
	return 2
}

// env holds what the commands share.
type env struct {
	genericiooptions.IOStreams
	config *kubeconfig
	clock  func() time.Time
	scheme *runtime.Scheme
	// fixed is the client to use, with the namespace of those who name none; nil: that of the kubeconfig.
	fixed client.Client
	// answers reads the answers that a person types. It is nil until a command asks something.
	answers *bufio.Reader
}

// New returns the root command.
func New(streams genericiooptions.IOStreams) (*cobra.Command, error) {
	scheme, err := scheme.New()
	if err != nil {
		return nil, err
	}
	e := &env{IOStreams: streams, config: &kubeconfig{}, clock: time.Now, scheme: scheme}
	root := &cobra.Command{
		Use:   "kubectl-firebreak",
		Short: "Ask for changes in production, approve them, and check manifests beforehand",
		Annotations: map[string]string{
			cobra.CommandDisplayNameAnnotation: "kubectl firebreak",
		},
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	for _, c := range []*cobra.Command{
		e.request(), e.completeNames(e.extend(), v1alpha1.KindChangeWindow), e.completeNames(e.closeWindow(), v1alpha1.KindChangeWindow),
		e.watched(e.pending()), e.watched(e.windows()), e.whoami(), e.completeNames(e.approve(), v1alpha1.KindChangeWindow),
		e.completeNames(e.reject(), v1alpha1.KindChangeWindow), e.delegate(), e.static(), e.completeNames(e.freeze(), v1alpha1.KindEnvironment),
		e.completeNames(e.unfreeze(), v1alpha1.KindChangeFreeze), e.init(), e.completeNames(e.seal(), v1alpha1.KindEnvironment), e.emergency(),
		e.log(), e.release(), e.watched(e.doctor()), e.evidence(), e.exempt(), e.ui(),
	} {
		e.config.flags(c.Flags())
		root.AddCommand(c)
	}
	firewall := e.firewall()
	e.config.flags(firewall.Flags())
	root.AddCommand(e.check(), e.audit(), e.explain(), e.replay(), e.discover(), firewall, version.Command(streams.Out))
	return root, nil
}

// client returns a client for the kubeconfig's current context, and its default namespace.
func (e *env) client() (client.Client, string, error) {
	if e.fixed != nil {
		return e.fixed, metav1.NamespaceDefault, nil
	}
	loader := e.config.loader()
	cfg, err := loader.ClientConfig()
	if err != nil {
		return nil, "", fmt.Errorf("load the kubeconfig: %w", err)
	}
	cfg.WarningHandlerWithContext = warnings{e.ErrOut}
	mapper, err := mapper(cfg)
	if err != nil {
		return nil, "", err
	}
	c, err := client.New(cfg, client.Options{Scheme: e.scheme, Mapper: mapper})
	if err != nil {
		return nil, "", fmt.Errorf("connect: %w", err)
	}
	ns, _, err := loader.Namespace()
	if err != nil {
		return nil, "", fmt.Errorf("read the namespace of the kubeconfig: %w", err)
	}
	return c, ns, nil
}

// mapper knows Firebreak's own kinds without discovery, since an error of discovery would hide the API server's answer to the
// request itself, such as that the user may not impersonate another.
func mapper(cfg *rest.Config) (meta.RESTMapper, error) {
	h, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	rest, err := apiutil.NewDynamicRESTMapper(cfg, h)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	own := meta.NewDefaultRESTMapper(nil)
	for _, k := range []string{v1alpha1.KindChangeWindow, v1alpha1.KindChangeApproval, v1alpha1.KindChangeDelegation, v1alpha1.KindChangeExecution, v1alpha1.KindChangeRecord} {
		own.Add(v1alpha1.GVK(k), meta.RESTScopeNamespace)
	}
	for _, k := range []string{v1alpha1.KindEnvironment, v1alpha1.KindDataStore, v1alpha1.KindExemption, v1alpha1.KindChangeFreeze} {
		own.Add(v1alpha1.GVK(k), meta.RESTScopeRoot)
	}
	return meta.FirstHitRESTMapper{MultiRESTMapper: meta.MultiRESTMapper{own, rest}}, nil
}

// warnings prints the API server's warnings, as kubectl does.
type warnings struct{ out io.Writer }

func (w warnings) HandleWarningHeaderWithContext(_ context.Context, code int, _, text string) {
	// A dry run that would need a window is the reason for the request. Endpoints are read because others still write them.
	if code == 299 && text != "" && !strings.HasPrefix(text, "v1 Endpoints is deprecated") && !strings.HasPrefix(text, "a real run would be forbidden") {
		fmt.Fprintln(w.out, "Warning:", text)
	}
}
