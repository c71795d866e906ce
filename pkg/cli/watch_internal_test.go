package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// What has not changed is not printed again, a failure is said and outlived, and what is interrupted ends well.
func TestWatch(t *testing.T) {
	var out bytes.Buffer
	e := &env{IOStreams: genericiooptions.IOStreams{Out: &out, ErrOut: &out}, clock: func() time.Time { return time.Date(2026, 11, 28, 2, 30, 0, 0, time.UTC) }}
	ctx, cancel := context.WithCancel(t.Context())
	runs := []func() error{
		func() error { fmt.Fprintln(e.Out, "nothing waits"); return nil },
		func() error { fmt.Fprintln(e.Out, "nothing waits"); return nil },
		func() error { return errors.New("the API server is away") },
		func() error { fmt.Fprintln(e.Out, "one waits"); return ExitError{1} },
		func() error { cancel(); return ctx.Err() },
	}
	n := 0
	err := e.watch(ctx, 0, func() error { n++; return runs[n-1]() })
	const want = "nothing waits\n\n2026-11-28 02:30:00 UTC\nError: the API server is away\n\n2026-11-28 02:30:00 UTC\none waits\n"
	if err != nil || out.String() != want || n != len(runs) {
		t.Errorf("%v after %d runs: %q, want %q", err, n, out.String(), want)
	}
	if e.Out != &out {
		t.Error("what is printed afterwards goes elsewhere")
	}
}
