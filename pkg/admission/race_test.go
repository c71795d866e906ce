//go:build race

package admission_test

// raceDetector is true in a test that the race detector watches: it drops a part of what is put into a sync.Pool, so that allocations count more
// than the code causes.
const raceDetector = true
