// Package gitops shows on a real control plane in which order Argo CD, Flux and Helm release a migration and what needs it, where every
// change of what runs in production needs a window.
//
// This package may change without notice.
package gitops
