// Package registrations reads what the chart renders for the API server's admission, the webhook registrations and the static policies, and makes of
// it the files that an API server loads from its disk: a boundary that nobody can take away through the API.
//
// The package is pure: it imports no client and reads no file but the guard that is built in.
//
// This package may change without notice.
package registrations
