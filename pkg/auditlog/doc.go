// Package auditlog reads the audit log of an API server and turns its events into the requests that an admission webhook was asked about.
//
// It is pure but for the reader that it is given. It may import the standard library, k8s.io/api, apimachinery, the scheme of client-go, a library of JSON
// patches and pkg/policy.
//
// Where to extend it: what an event says of an object is read in request.go.
//
// This package may change without notice.
package auditlog
