// Package controller keeps what the webhook knows in memory. Informers feed the estate, which is compiled outside of requests
// and swapped as one pointer. The package also writes the statuses of Firebreak's kinds, settles reservations and
// deletes old records.
//
// It may import clients and controller-runtime. Decisions are pkg/policy's and pkg/change's.
//
// This package may change without notice.
package controller
