// Package model checks change control against a small reference model, step by step: random sequences of requests,
// approvals, rejections, runs, ways back, extensions, freezes, weakenings, restarts and lost answers, first against an
// in-memory store with the API server's conflict rules and a clock that can be set, then against a real control plane.
//
// The reference states the rules as people would, and knows nothing of how the product computes them. A divergence prints the seed
// and the steps that led to it. Run with -v, the tests say how often each outcome and each situation occurred; in memory, each
// situation must.
//
// This package may change without notice.
package model
