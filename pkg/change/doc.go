// Package change answers: may this happen now, and if not, when? It judges change windows, approvals, executions and freezes
// as values; the query brings the instant.
//
// The package is pure: it may import the standard library, k8s.io/api, apimachinery, pkg/api, pkg/workload and pkg/estate. It
// never reads status.phase: a decision follows from specs, approvals, executions and the instant alone.
//
// To add a condition that a window must meet, add one function to checks(). The list is in the order in which a person would
// ask, and a window that fails later is nearer.
package change
