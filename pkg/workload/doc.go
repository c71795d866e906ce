// Package workload turns an object into its pod template, with field paths, for every built-in kind that has one.
//
// It is pure: it may import the standard library, k8s.io/api, apimachinery, pkg/api and pkg/budget.
//
// To add a kind, add one case to kinds(); the completeness test names what is still missing.
package workload
