package controlplane

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// pollInterval is short, since start-up time is what a developer waits for.
const pollInterval = 25 * time.Millisecond

// errFinal marks an error that waiting cannot mend.
var errFinal = errors.New("waiting is of no use")

// poll calls check until it returns no error. It gives up when ctx ends or the error is errFinal, and then returns the last error
// and what it waited for.
func poll(ctx context.Context, what string, check func(context.Context) error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if errors.Is(err, errFinal) {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; last: %w", what, ctx.Err(), err)
		case <-ticker.C:
		}
	}
}
