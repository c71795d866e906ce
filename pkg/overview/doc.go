// Package overview says, of the windows, freezes, executions and records that somebody may read, what a person asks: when production is open, what waits,
// and what was changed. The commands of kubectl firebreak print it, and the page of kubectl firebreak ui shows it.
//
// This package may change without notice.
package overview
