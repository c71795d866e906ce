// Package page uses the page of kubectl firebreak ui on a real control plane, as real users with a real browser: they request, approve, reject and review, and
// see what has become of it.
//
// This package may change without notice.
package page
