// Package roundtrips counts on a real control plane the calls to the API server that judging one request takes.
//
// This package may change without notice.
package roundtrips
