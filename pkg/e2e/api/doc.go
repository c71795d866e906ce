// Package api tests Firebreak's API where it is served: the CRDs' OpenAPI and CEL, the static policies, the stamping
// webhook and what the validating webhook says about Firebreak's own kinds, each against a real API server into which
// the chart was installed. It holds tests only.
//
// Every test of the package uses one stage, which TestMain sets up. Each test cleans up after itself; a test that only checks
// whether a request is refused uses a dry run. A new field or rule gets a line in the table of its kind (schema_*_test.go), a new
// way to write an object one in ways_test.go.
//
// This package may change without notice.
package api
