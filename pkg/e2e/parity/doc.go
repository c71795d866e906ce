// Package parity sends the fixtures of the rules through the webhook on a real API server, and gives them to `check` against the
// same cluster. The answers are the same.
//
// This package may change without notice.
package parity
