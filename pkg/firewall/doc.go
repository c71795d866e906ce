// Package firewall makes the network policies that keep the tiers of an estate apart on the wire, where admission sees only text.
//
// It is pure: an estate and what is known of the cluster's addresses come in, and objects come out. It may import the standard library,
// k8s.io/api, apimachinery, pkg/api and pkg/estate. The plugin shows what it makes, and pkg/controller applies it.
//
// Where to extend it: what every namespace may reach is a rule in rules.go; which addresses a tier may reach is decided in ranges.go.
//
// This package may change without notice.
package firewall
