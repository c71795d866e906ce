// Package reservations shows on a real control plane what happens to executions that are reserved and then not used.
//
// This package may change without notice.
package reservations
