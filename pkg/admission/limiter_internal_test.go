package admission

import (
	"fmt"
	"testing"
	"time"
)

// However many namespaces there are, the limiter's memory is bounded, and a namespace that has used up its tokens stays
// refused.
func TestTheLimiterIsBounded(t *testing.T) {
	at := time.Date(2026, 11, 28, 2, 30, 0, 0, time.UTC)
	l := NewLimiter(time.Second, 2)
	for i := range maxBuckets - 1 {
		if !l.Allow(fmt.Sprint("ns-", i), at) {
			t.Fatalf("the first request of ns-%d is refused", i)
		}
	}
	later := at.Add(time.Minute) // the earlier namespaces have their tokens again
	for i, want := range []bool{true, true, false} {
		if got := l.Allow("busy", later); got != want {
			t.Errorf("request %d of the busy one passes: %t, want %t", i, got, want)
		}
	}
	if !l.Allow("one-more", later) {
		t.Error("the first request of a namespace is refused")
	}
	if n := len(l.buckets); n != 2 {
		t.Errorf("%d namespaces are remembered, want the two that have used some of theirs", n)
	}
	if l.Allow("busy", later) {
		t.Error("who has used up theirs gets more because others came")
	}
}

// A refusal takes no token: the next token comes when it would have come.
func TestRefusalsCostNothing(t *testing.T) {
	at := time.Date(2026, 11, 28, 2, 30, 0, 0, time.UTC)
	l := NewLimiter(10*time.Second, 1)
	l.Allow("a", at)
	for range 50 {
		if l.Allow("a", at.Add(9*time.Second)) {
			t.Fatal("a request passes before its time")
		}
	}
	if !l.Allow("a", at.Add(10*time.Second)) {
		t.Error("refusals have used up the next token")
	}
}
