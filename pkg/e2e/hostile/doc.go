// Package hostile makes texts that are meant to exhaust the readers: every word of the readers' grammar, repeated, nested, quoted
// and put between hosts, at any length. The tests of the handler and the soak test share them.
//
// This package may change without notice.
package hostile
