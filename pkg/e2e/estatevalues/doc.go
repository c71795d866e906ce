// Package estatevalues shows on a real control plane what happens to the environments and data stores that the chart's values
// declare: they are applied, changed and deleted with the release, and what weakens the boundary waits for a window.
//
// This package may change without notice.
package estatevalues
