// Package boundary compares two states of the objects that draw the boundary: Environments, DataStores, Exemptions, ChangeFreezes and
// the CRDs themselves. It says, clause by clause, how a change would weaken the boundary. A change that cannot be proved to be a
// strengthening is a weakening.
//
// It is pure: it may import the standard library, k8s.io/apimachinery, pkg/api, pkg/estate and pkg/reference. It knows nothing of
// requests.
//
// The tests in reflect_test.go hold a decision about every field of the API, and fail for a new field until there is one.
package boundary
