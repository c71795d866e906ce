// Package scale measures a server that knows a large company: what it holds in memory, what it costs while nothing happens, and how soon
// a change of the estate is in force. `make scale` does it at full size: 5,000 namespaces, 10,000 data stores with 100,000 hosts, 20,000
// ConfigMaps and 500 windows. `make test` does the same at a hundredth of that.
//
// This package may change without notice.
package scale
