// Package unjudged shows on a real control plane which requests are refused and which are admitted while no replica of Firebreak
// answers.
//
// This package may change without notice.
package unjudged
