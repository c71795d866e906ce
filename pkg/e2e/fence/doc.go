// Package fence shows on a real control plane what the fence holds while no replica of Firebreak runs and nothing is registered, and what it costs.
//
// This package may change without notice.
package fence
