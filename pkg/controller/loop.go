package controller

import (
	"context"
	"time"
)

// onceSynced calls f at each tick until the context ends, once the memory knows the cluster: what is made of half of it would be wrong. failed is told
// of each error.
func (m *Cache) onceSynced(ctx context.Context, every time.Duration, f func(context.Context) error, failed func(error)) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if !m.Synced() {
			continue
		}
		if err := f(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}
