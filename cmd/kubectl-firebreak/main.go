// Command kubectl-firebreak is Firebreak's kubectl plugin, for the people who use Firebreak.
package main

import (
	"fmt"
	"os"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/firebreak-dev/firebreak/pkg/cli"
)

func main() {
	root, err := cli.New(genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr})
	if err == nil {
		err = root.ExecuteContext(ctrl.SetupSignalHandler())
	}
	if _, silent := err.(cli.ExitError); err != nil && !silent { //nolint:errorlint // it is never wrapped
		fmt.Fprintln(os.Stderr, "Error:", cli.Hint(err))
	}
	os.Exit(cli.Code(err))
}
