// Package controller keeps what the webhook knows from memory: informers feed the estate, which is compiled off the
// request path and swapped as one pointer. It also writes the statuses of Firebreak's kinds and settles reservations.
//
// It may import clients and controller-runtime. Decisions are pkg/policy's and pkg/change's.
//
// This package may change without notice.
package controller
