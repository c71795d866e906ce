// Package subresources sends every subresource, operation and kind by which a request can bypass an admission controller through a
// real API server with the rendered webhook rules. Only this shows a typo in a resource's name, which silently matches nothing.
//
// This package may change without notice.
package subresources
