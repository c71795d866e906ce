// Package discover proposes environments and data stores from what runs in a cluster and what cloud inventories list.
//
// It is pure: objects come in, and a proposal goes out. It may import the standard library, k8s.io/api, apimachinery, pkg/api, pkg/policy and pkg/reference.
//
// Where to extend it: words by which people tell environments apart are in words.go, forms of inventories in inventory.go.
//
// This package may change without notice.
package discover
