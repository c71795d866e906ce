// Package server wires the parts of `firebreak serve` together: manager, certificates, webhook, health, metrics.
//
// It decides nothing. What it starts and in which order is in run.go.
//
// This package may change without notice.
package server
