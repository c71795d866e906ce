package admission

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// series is a read of which each says when it begins, and ends when it is told to.
type series struct {
	mu     sync.Mutex
	n      int
	begun  chan int
	finish chan error
}

func newSeries() *series { return &series{begun: make(chan int, 16), finish: make(chan error)} }

func (s *series) read() (int, error) {
	s.mu.Lock()
	s.n++
	n := s.n
	s.mu.Unlock()
	s.begun <- n
	return n, <-s.finish
}

type outcome struct {
	Value int
	Err   error
}

// ask joins before it returns, and gives the outcome later.
func ask(s *shared[int], key string, r *series) chan outcome {
	out := make(chan outcome, 1)
	b := s.join(key, r.read)
	go func() {
		<-b.done
		out <- outcome{b.value, b.err}
	}()
	return out
}

// Who comes while a read is under way waits for the next one, and all who wait share it.
func TestSharedReadsAreNeverOlderThanTheirCallers(t *testing.T) {
	var s shared[int]
	r := newSeries()
	first := ask(&s, "a", r)
	<-r.begun
	late := []chan outcome{ask(&s, "a", r), ask(&s, "a", r), ask(&s, "a", r)}
	r.finish <- nil
	if got := <-first; got != (outcome{Value: 1}) {
		t.Errorf("the first gets %+v", got)
	}
	<-r.begun
	later := ask(&s, "a", r)
	r.finish <- nil
	for _, l := range late {
		if got := <-l; got != (outcome{Value: 2}) {
			t.Errorf("one who came during the first read gets %+v, want the second", got)
		}
	}
	<-r.begun
	r.finish <- nil
	if got := <-later; got != (outcome{Value: 3}) {
		t.Errorf("one who came during the second read gets %+v, want the third", got)
	}
}

// The failure of a read is that of those who waited for it, and of nobody else.
func TestSharedReadsFailTogether(t *testing.T) {
	var s shared[int]
	r := newSeries()
	down := errors.New("down")
	first := ask(&s, "a", r)
	<-r.begun
	second, third := ask(&s, "a", r), ask(&s, "a", r)
	r.finish <- down
	<-r.begun
	r.finish <- nil
	if got := <-first; got.Err != down { //nolint:errorlint // the very one
		t.Errorf("the first gets %+v", got)
	}
	for _, c := range []chan outcome{second, third} {
		if got := <-c; got != (outcome{Value: 2}) {
			t.Errorf("the next get %+v", got)
		}
	}
}

// Reads of different keys do not wait for each other.
func TestSharedReadsOfOtherKeys(t *testing.T) {
	var s shared[int]
	a, b := newSeries(), newSeries()
	slow := ask(&s, "a", a)
	<-a.begun
	quick := ask(&s, "b", b)
	<-b.begun
	b.finish <- nil
	if got := <-quick; got != (outcome{Value: 1}) {
		t.Errorf("the other key gets %+v", got)
	}
	a.finish <- nil
	if got := <-slow; got != (outcome{Value: 1}) {
		t.Errorf("the slow one gets %+v", got)
	}
}

// Who is given up waits no more; those beside get their answer all the same.
func TestSharedReadsOutliveTheirCallers(t *testing.T) {
	var s shared[int]
	r := newSeries()
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan outcome, 1)
	go func() {
		v, err := s.do(ctx, "a", r.read)
		gone <- outcome{v, err}
	}()
	<-r.begun
	beside := ask(&s, "a", r)
	cancel()
	if got := <-gone; got != (outcome{Err: context.Canceled}) {
		t.Errorf("who is given up gets %+v", got)
	}
	r.finish <- nil
	<-r.begun
	r.finish <- nil
	if got := <-beside; got != (outcome{Value: 2}) {
		t.Errorf("who waits beside gets %+v", got)
	}
}

// Calls that belong together all end before the first failure is told.
func TestTogether(t *testing.T) {
	down := errors.New("down")
	var mu sync.Mutex
	var ended []string
	does := func(name string, err error) func() error {
		return func() error {
			mu.Lock()
			defer mu.Unlock()
			ended = append(ended, name)
			return err
		}
	}
	if err := together(nil); err != nil {
		t.Errorf("nothing fails with %v", err)
	}
	if err := together([]func() error{does("x", nil), does("x", down), does("x", nil)}); err != down { //nolint:errorlint // the very one
		t.Errorf("the failure becomes %v", err)
	}
	if diff := cmp.Diff([]string{"x", "x", "x"}, ended); diff != "" {
		t.Errorf("the calls that ended: %s", diff)
	}
}
