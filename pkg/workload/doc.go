// Package workload turns an object into its pod template, with field paths, for every built-in kind that has one, and finds
// those that stand anywhere in a custom resource, in the texts of it that hold an object of their own, too.
//
// It is pure: it may import the standard library, k8s.io/api, apimachinery, pkg/api and pkg/budget, the parser of
// mvdan.cc/sh for scripts, and sigs.k8s.io/yaml for such texts.
//
// To add a kind, add one line to Kinds(). The tests name a sample, a watch and a right that are missing; CONTRIBUTING.md has the rest.
package workload
