// Package policy judges a request: request + estate + change state → decision. The webhook, the offline check and the audit scan all call
// it, so all three answer alike.
//
// It is pure: it may import the standard library, k8s.io/api, apimachinery, pkg/api and the other pure packages. It
// reads no clock and no network; state that must be read live comes in as a change.State, once LiveReads has said what to read.
//
// The error channel means "could not decide", never "denied".
//
// To add a rule, write rule_<name>.go with one function, add one line to Rules, and put
// testdata/<name>/{allow,deny}/*.yaml beside it. CONTRIBUTING.md has the rest, most of which the completeness tests ask for.
package policy
