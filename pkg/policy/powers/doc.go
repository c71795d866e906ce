// Package powers tells what a Role or ClusterRole lets somebody do, with all that it aggregates.
//
// It is pure: it may import the standard library, k8s.io/api and apimachinery. It knows nothing of requests and environments.
package powers
