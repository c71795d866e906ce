// Package insider plays an insider who tries to approve their own change, with real users, real RBAC and real tokens on a real
// control plane. It holds tests only, one for each way to try it. Every attempt must be refused, in a sentence that says why, and
// no maintenance may have run afterwards.
//
// RBAC helps the insider as far as it can: sam may write every kind of Firebreak, including statuses, mint tokens and impersonate
// service accounts, and holds the verb approve. If only RBAC can refuse an attempt, its test says so.
//
// This package may change without notice.
package insider
