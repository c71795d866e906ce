// Package estate is the compiled, immutable picture of who and what belongs to which environment.
//
// It is pure: it may import the standard library, k8s.io/api, apimachinery, pkg/api, pkg/reference (for the normal forms of
// what it lists) and the table of public suffixes. An Estate is built off the request path by Compile and swapped as one
// pointer; its lookups do not grow with the number of entries.
package estate
