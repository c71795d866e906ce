// Package workload turns an object into its pod template, with field paths, for every built-in kind that has one. It also
// finds the pod templates anywhere in a custom resource, including its texts that hold objects of their own.
//
// The package is pure: it may import the standard library, k8s.io/api, apimachinery, pkg/api and pkg/budget, the parser of
// mvdan.cc/sh for scripts, and sigs.k8s.io/yaml for such texts.
//
// To add a kind, add one line to Kinds(). The tests name a missing sample, watch or right; CONTRIBUTING.md has the rest.
package workload
