// Package ledger reserves executions of change windows, and keeps records of what was done about windows, freezes and the boundary.
//
// Creating a ChangeExecution is the reservation. Its name is made of window, occurrence and slot, so the API server gives
// each slot to exactly one request, whichever replica is first. The package keeps no state in memory, so a replica may die at
// any moment.
//
// The package may import a client. It does not decide whether a window covers a request; pkg/change does.
//
// This package may change without notice.
package ledger
