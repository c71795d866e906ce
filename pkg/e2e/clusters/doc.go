// Package clusters shows on two real control planes, one of production and one of development, that one chart, one application and
// one ChangeWindow serve a fleet: each cluster accepts what is meant for it, and says why it refuses the rest.
//
// This package may change without notice.
package clusters
