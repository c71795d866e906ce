// Command firebreak is the server: webhook and controllers in one binary.
package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/firebreak-dev/firebreak/pkg/server"
	"github.com/firebreak-dev/firebreak/pkg/version"
)

func main() {
	if err := command().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "firebreak:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "firebreak",
		Short:         "Keeps production and non-production apart",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version.Read().Version,
	}
	o := server.Default()
	serve := &cobra.Command{
		Use:   "serve",
		Short: "Answer admission requests and keep Firebreak's own objects up to date",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return server.Run(cmd.Context(), o, logger(o.LogLevel))
		},
	}
	o.Flags(serve.Flags())
	var test server.SelfTest
	selftest := &cobra.Command{
		Use:   "selftest",
		Short: "Ask an installed server, as the API server would, and say whether it answers as it should",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return test.Run(cmd.Context(), cmd.OutOrStdout()) },
	}
	test.Flags(selftest.Flags())
	root.AddCommand(serve, selftest, version.Command(os.Stdout))
	return root
}

func logger(level int) logr.Logger {
	h := slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.Level(-level)})
	return logr.FromSlogHandler(h)
}
