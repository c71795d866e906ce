// Package company makes up a company of many teams, each with namespaces and data stores that are known, so that what `discover` proposes of it can be
// compared with the truth: beside the code, and on a real API server, where the proposal is then installed as it stands.
//
// This package may change without notice.
package company
