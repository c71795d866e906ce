package admission

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// shared lets requests that wait for the same read share it, but only those that arrived before it was sent. A request that
// arrives while a read is under way waits for the next one, so its result is never older than the request.
type shared[V any] struct {
	mu    sync.Mutex
	calls map[string]*call[V]
}

type call[V any] struct {
	// running is true while a read is under way; next gathers the callers that came too late for it.
	running bool
	next    *batch[V]
}

type batch[V any] struct {
	done  chan struct{}
	value V
	err   error
}

// do returns the result of a read of key that is sent after do was called. read must not use the caller's context, since
// others may wait for its result too.
func (s *shared[V]) do(ctx context.Context, key string, read func() (V, error)) (V, error) {
	b := s.join(key, read)
	select {
	case <-b.done:
		return b.value, b.err
	case <-ctx.Done():
		var zero V
		return zero, ctx.Err()
	}
}

func (s *shared[V]) join(key string, read func() (V, error)) *batch[V] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls == nil {
		s.calls = map[string]*call[V]{}
	}
	c := s.calls[key]
	if c == nil {
		c = &call[V]{}
		s.calls[key] = c
	}
	if c.next == nil {
		c.next = &batch[V]{done: make(chan struct{})}
	}
	b := c.next
	if !c.running {
		c.running = true
		go s.run(key, c, read)
	}
	return b
}

// contained turns a panic of a read into an error: the read runs in a goroutine of its own, where the request's recover does
// not reach it. The request is then refused for now, and the process goes on.
func contained[V any](read func() (V, error)) (v V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a read has failed: %v; %s", p, debug.Stack())
		}
	}()
	return read()
}

// run sends reads until no caller waits for one.
func (s *shared[V]) run(key string, c *call[V], read func() (V, error)) {
	for {
		s.mu.Lock()
		b := c.next
		c.next = nil
		if b == nil {
			c.running = false
			delete(s.calls, key)
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		b.value, b.err = contained(read)
		close(b.done)
	}
}
