// Package unjudged shows on a real control plane what is refused and what is admitted while no replica of Firebreak answers.
//
// This package may change without notice.
package unjudged
