package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/firebreak-dev/firebreak/pkg/change"
)

// lookAgain is how often a command with --watch looks again.
const lookAgain = 5 * time.Second

// watched gives a command the flag --watch: it then runs again and again, and prints what it says whenever that has changed, until somebody interrupts it.
// A run that fails is said, and the next is tried.
func (e *env) watched(cmd *cobra.Command) *cobra.Command {
	watch := false
	once := cmd.RunE
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "look again every five seconds, and print the changes, until interrupted")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !watch {
			return once(cmd, args)
		}
		return e.watch(cmd.Context(), lookAgain, func() error { return once(cmd, args) })
	}
	return cmd
}

// watch runs a command again and again, until the context ends.
func (e *env) watch(ctx context.Context, every time.Duration, run func() error) error {
	out, errOut := e.Out, e.ErrOut
	defer func() { e.Out, e.ErrOut = out, errOut }()
	last, first := "", true
	for {
		var said bytes.Buffer
		e.Out, e.ErrOut = &said, &said
		err := run()
		var exit ExitError
		if ctx.Err() != nil {
			return nil // an interruption by the user is not a failure
		}
		if err != nil && !errors.As(err, &exit) {
			fmt.Fprintln(&said, "Error:", err)
		}
		if text := said.String(); first || text != last {
			if !first {
				fmt.Fprintf(out, "\n%s\n", change.Instant(e.clock()))
			}
			if _, err := io.WriteString(out, text); err != nil {
				return fmt.Errorf("print: %w", err)
			}
			last, first = text, false
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
	}
}
