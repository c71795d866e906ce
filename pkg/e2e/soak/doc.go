// Package soak exposes three replicas, each under the memory limit that the chart sets, to users who send texts that are meant to
// exhaust them, and to users who work. `make soak` does it for ten minutes.
//
// This package may change without notice.
package soak
