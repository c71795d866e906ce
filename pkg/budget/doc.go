// Package budget bounds what reading one request may cost in work and in memory.
//
// It is pure and imports nothing. Every reader of foreign text (pkg/workload, pkg/reference) spends from the budget of the
// request before it works, so one place holds the limits. A reader that the budget stops returns what it has; the request is
// then undecided, which pkg/policy refuses.
//
// This package may change without notice.
package budget
