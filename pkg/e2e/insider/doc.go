// Package insider plays the insider who tries to approve his own change, with real users, real RBAC and real tokens on a
// real control plane. It holds tests only, one for each way that he may try; every attempt must be refused, in a sentence
// that says why, and no maintenance may have run afterwards.
//
// RBAC is on his side as far as it can be: sam may write every kind of Firebreak's, statuses included, mint tokens and
// impersonate service accounts, and holds the verb approve. What only RBAC can refuse is said so where it is tested.
//
// This package may change without notice.
package insider
