// Package chart shows on a real API server that the chart renders what its values promise: strictly valid objects for each kind of
// installation, with alerts that fire when they should, on metrics that the server has.
//
// This package may change without notice.
package chart
