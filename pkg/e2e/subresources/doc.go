// Package subresources sends every subresource, operation and kind by which one can get around an admission controller through a
// real API server with the rendered webhook rules: a typo in a resource's name silently matches nothing, and only so does
// it show.
//
// This package may change without notice.
package subresources
