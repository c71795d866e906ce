// Package bell has real receivers on loopback take what Firebreak tells people: an SMTP server and HTTP servers. Each message arrives once, over three replicas, a
// restart and a change of the leader, and none is lost while nobody answers.
//
// This package may change without notice.
package bell
