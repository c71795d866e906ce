// Package version tells which build of Firebreak is running.
//
// This package may change without notice.
package version
