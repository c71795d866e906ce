// Package cli holds the commands behind `kubectl firebreak`.
//
// It may import clients. It decides nothing: check calls pkg/policy, as the webhook does. The other commands write ChangeWindows,
// ChangeApprovals and ChangeFreezes, which the webhook judges like those of any other client.
//
// To add a command, write <name>.go with one constructor and add one line to New.
//
// This package may change without notice.
package cli
