// Package await lets tests wait for what another process does in its own time.
//
// This package may change without notice.
package await
