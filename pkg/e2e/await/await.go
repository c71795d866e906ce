package await

import (
	"errors"
	"testing"
	"time"
)

// patience is how long a test waits: far longer than any operation takes, so that a slow machine fails no test.
const patience = time.Minute

const pause = 100 * time.Millisecond

// NoError repeats an attempt until it succeeds. After a minute it fails the test with the last error; what names, in that message,
// the event that the test waited for.
func NoError(t testing.TB, what string, attempt func() error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(pause) {
		err := attempt()
		switch {
		case err == nil:
			return
		case t.Context().Err() != nil || time.Now().After(deadline):
			t.Fatalf("%s: not within %s: %v", what, patience, err)
		}
	}
}

// True repeats a question until the answer is yes. After a minute it fails the test.
func True(t testing.TB, what string, holds func() bool) {
	t.Helper()
	NoError(t, what, func() error {
		if !holds() {
			return errors.New("it does not hold yet")
		}
		return nil
	})
}
