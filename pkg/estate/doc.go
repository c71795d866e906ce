// Package estate is the compiled, immutable picture of who and what belongs to which environment.
//
// It is pure: it may import the standard library, apimachinery, pkg/api and pkg/reference (for the normal form of
// hosts) and the table of public suffixes. An Estate is built off the request path by Compile and swapped as one pointer; its lookups do not grow with
// the number of entries.
package estate
