// Package seethrough tests the commands that say what Firebreak does and what is wrong, on a real control plane, as users who hold the roles that the
// commands document and no others.
//
// This package may change without notice.
package seethrough
