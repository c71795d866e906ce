package controller

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/firebreak-dev/firebreak/pkg/api/v1alpha1"
)

// RecordKeeper deletes ChangeRecords that are older than the longest retention of a Production environment. It runs in the leading replica,
// and keeps nothing in memory.
type RecordKeeper struct {
	memory    *Cache
	client    client.Client
	namespace string
	log       logr.Logger
}

// NewRecordKeeper returns the keeper of the records in Firebreak's own namespace. c must not read from a cache.
func NewRecordKeeper(m *Cache, c client.Client, namespace string, log logr.Logger) *RecordKeeper {
	return &RecordKeeper{memory: m, client: c, namespace: namespace, log: log}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: one replica deletes.
func (*RecordKeeper) NeedLeaderElection() bool { return true }

// sweepRecords is how often old records are looked for, recordPage how many are read at once.
const (
	sweepRecords = time.Hour
	recordPage   = 500
)

// Start runs until the context ends.
func (k *RecordKeeper) Start(ctx context.Context) error {
	for {
		wait := sweepRecords
		switch err := k.sweep(ctx); {
		case err != nil && ctx.Err() == nil:
			k.log.Error(err, "could not delete old records")
		case k.memory.Estate() == nil:
			wait = time.Minute // it is not compiled yet
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// sweep deletes nothing while no estate is known.
func (k *RecordKeeper) sweep(ctx context.Context) error {
	e := k.memory.Estate()
	if e == nil {
		return nil
	}
	before := k.memory.clock().Add(-longestRetention(e.Production()))
	var page v1alpha1.ChangeRecordList
	for {
		if err := k.client.List(ctx, &page, client.InNamespace(k.namespace), client.Limit(recordPage), client.Continue(page.Continue)); err != nil {
			return fmt.Errorf("list records: %w", err)
		}
		for i := range page.Items {
			r := &page.Items[i]
			if !r.CreationTimestamp.Time.Before(before) {
				continue
			}
			if err := client.IgnoreNotFound(k.client.Delete(ctx, r, client.Preconditions{UID: &r.UID})); err != nil {
				return fmt.Errorf("delete record %s: %w", r.Name, err)
			}
		}
		if page.Continue == "" {
			return nil
		}
	}
}
