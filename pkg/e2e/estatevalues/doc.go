// Package estatevalues shows on a real control plane what becomes of the environments and data stores that the chart's values
// declare: they are applied, changed and taken back with the release, and what weakens the boundary waits for a window.
//
// This package may change without notice.
package estatevalues
