// Package ui is the page of kubectl firebreak ui: what is open and frozen, what waits for the viewer, a calendar, what was changed, and the estate. It draws
// and routes, and knows no cluster: a Desk reads and acts, with the rights of whoever looks.
//
// This package may change without notice.
package ui
