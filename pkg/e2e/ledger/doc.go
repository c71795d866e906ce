// Package ledger shows on a real control plane that executions are reserved exactly: when many requests come at once, when replicas
// die in between, and when answers get lost.
//
// This package may change without notice.
package ledger
