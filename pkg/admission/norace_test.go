//go:build !race

package admission_test

// raceDetector is false in a test that the race detector does not watch.
const raceDetector = false
