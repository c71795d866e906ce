// Package apistore keeps objects in memory under the API server's rules: a name exists once, a deletion may name the UID that it is
// for, reads return copies, instants have whole seconds. Tests can make it fail.
//
// It is for tests; it imports no client but its types.
//
// This package may change without notice.
package apistore
