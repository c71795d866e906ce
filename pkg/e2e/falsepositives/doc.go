// Package falsepositives holds the end-to-end tests of what an honest team does every day in production: rollouts, scaling, drains,
// releases, re-applies, and the requests of operators. None of it needs a window, and harmless requests get no warning. A request
// that an operator sends is a file in testdata/requests, which says where it comes from.
//
// This package may change without notice.
package falsepositives
