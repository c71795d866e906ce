// Package reference finds the places in an object that point at something: a host, an address, a namespace, a cloud
// resource, a credential, a volume, a node.
//
// It knows grammar only. What a name belongs to is pkg/estate's business, and whether that is allowed pkg/policy's.
// It is pure: it may import the standard library, k8s.io/api, apimachinery, pkg/api, pkg/workload, pkg/budget,
// and the IDNA tables of golang.org/x/net.
//
// To add a source, write source_<name>.go with one function, add one line to Sources, and put
// testdata/<name>/*.yaml beside it; the completeness test stays red until all three exist.
package reference
