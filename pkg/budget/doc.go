// Package budget bounds what reading one request may cost in work and in memory.
//
// The package is pure and imports nothing. Every reader of foreign text (pkg/workload, pkg/reference) spends from the budget
// of the request before it works, so one place holds the limits. A reader that the budget stops returns what it has. The
// request is then undecided, and pkg/policy refuses it.
//
// This package may change without notice.
package budget
