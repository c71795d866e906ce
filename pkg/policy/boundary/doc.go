// Package boundary compares two states of what draws the boundary: Environments, DataStores, Exemptions, ChangeFreezes and the CRDs
// themselves. It says, clause by clause, how a change would weaken the boundary. What cannot be proved to be a strengthening is a
// weakening.
//
// It is pure: it may import the standard library, k8s.io/apimachinery, pkg/api, pkg/estate and pkg/reference. It knows nothing of
// requests.
//
// A field that the API gains is decided on in reflect_test.go, which is red until then.
package boundary
