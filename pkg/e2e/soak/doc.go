// Package soak holds three replicas, each under the memory limit that the chart sets, against people who send what is made to
// wear them out, beside people who work. `make soak` does it for ten minutes.
//
// This package may change without notice.
package soak
