// Package apistore keeps objects in memory under the API server's rules: a name exists once, a deletion may name the UID
// that it is for, what is read is a copy, instants have whole seconds. It can be told to fail.
//
// It is for tests; it imports no client but its types.
//
// This package may change without notice.
package apistore
