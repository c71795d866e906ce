// Package hostile makes the texts that are sent to wear the readers out: every word of their own grammar, repeated, nested,
// quoted and put between hosts, at any length. The tests of the handler and the soak test share them.
//
// This package may change without notice.
package hostile
