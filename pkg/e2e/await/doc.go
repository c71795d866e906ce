// Package await waits in tests for what another process does in its own time.
//
// This package may change without notice.
package await
