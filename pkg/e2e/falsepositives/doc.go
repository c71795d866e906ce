// Package falsepositives holds the end-to-end tests of what an honest team does every day in production: rollouts, scaling, drains,
// releases, re-applies, and what operators send on their own. None of it needs a window, and what is harmless draws no
// warning. A request that an operator sends is a file in testdata/requests, which says where it comes from.
//
// This package may change without notice.
package falsepositives
