// Package scheme knows every kind that Firebreak reads or writes, Kubernetes' own and Firebreak's.
//
// This package may change without notice.
package scheme
