package admission

import (
	"strings"
	"testing"
)

// A read runs in a goroutine of its own. A panic of the read becomes an error for each request that waits for it, and the
// process goes on.
func TestAPanicOfAReadIsContained(t *testing.T) {
	var s shared[int]
	if _, err := s.do(t.Context(), "key", func() (int, error) { panic("a ConfigMap that nobody has thought of") }); err == nil ||
		!strings.HasPrefix(err.Error(), "a read has failed: a ConfigMap that nobody has thought of; ") {
		t.Errorf("the read that panics: %v", err)
	}
	if got, err := s.do(t.Context(), "key", func() (int, error) { return 7, nil }); got != 7 || err != nil {
		t.Errorf("the next read: %d %v", got, err)
	}
	if err := together([]func() error{func() error { panic("again") }, func() error { return nil }}); err == nil || !strings.HasPrefix(err.Error(), "a read has failed: again; ") {
		t.Errorf("reads at the same time: %v", err)
	}
}
