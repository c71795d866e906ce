// Package soak exposes three replicas, each under the memory limit that the chart sets, to users who send texts that are meant to
// exhaust them, to users who work, and to an administrator who changes objects of every kind that a replica watches. `make soak` does it for half an
// hour, and keeps what it showed in last.md.
//
// This package may change without notice.
package soak
