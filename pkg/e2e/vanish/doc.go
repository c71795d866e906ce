// Package vanish takes away, on a real control plane, the definitions of what is declared, and checks that production stays production.
//
// This package may change without notice.
package vanish
