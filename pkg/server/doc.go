// Package server wires the parts of `firebreak serve` together: manager, certificates, webhook, health, metrics.
//
// It decides nothing. run.go shows what it starts, and in which order.
//
// This package may change without notice.
package server
