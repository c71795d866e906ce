package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/server"
)

// ExitError carries an exit status. Its text, if any, has been printed.
type ExitError struct{ Code int }

func (e ExitError) Error() string { return fmt.Sprintf("exit status %d", e.Code) }

// Code returns the exit status for an error: 0 for none, that of an ExitError, else 2.
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

// env is what the commands share.
type env struct {
	genericiooptions.IOStreams
	flags *genericclioptions.ConfigFlags
	clock func() time.Time
	// warned gets what the API server warns of.
	scheme *runtime.Scheme
}

// New returns the root command.
func New(streams genericiooptions.IOStreams) (*cobra.Command, error) {
	scheme, err := server.Scheme()
	if err != nil {
		return nil, err
	}
	e := &env{IOStreams: streams, flags: genericclioptions.NewConfigFlags(true), clock: time.Now, scheme: scheme}
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
	for _, c := range []*cobra.Command{e.request(), e.approve(), e.reject(), e.freeze(), e.unfreeze(), e.seal()} {
		e.flags.AddFlags(c.Flags())
		root.AddCommand(c)
	}
	root.AddCommand(e.check())
	return root, nil
}

// client returns a client for the kubeconfig's current context, and its default namespace.
func (e *env) client() (client.Client, string, error) {
	cfg, err := e.flags.ToRESTConfig()
	if err != nil {
		return nil, "", fmt.Errorf("load the kubeconfig: %w", err)
	}
	cfg.WarningHandlerWithContext = warnings{e.ErrOut}
	c, err := client.New(cfg, client.Options{Scheme: e.scheme})
	if err != nil {
		return nil, "", fmt.Errorf("connect: %w", err)
	}
	ns, _, err := e.flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, "", fmt.Errorf("read the namespace of the kubeconfig: %w", err)
	}
	return c, ns, nil
}

// warnings prints what the API server warns of, as kubectl does.
type warnings struct{ out io.Writer }

func (w warnings) HandleWarningHeaderWithContext(_ context.Context, code int, _, text string) {
	if code == 299 && text != "" {
		fmt.Fprintln(w.out, "Warning:", text)
	}
}
