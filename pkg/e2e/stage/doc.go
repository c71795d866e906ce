// Package stage sets up the cluster of the demo and the end-to-end tests: a real control plane with Firebreak installed from its
// chart by real helm, running as the chart's ServiceAccount, and people with real credentials and real RBAC.
//
// This package may change without notice.
package stage
