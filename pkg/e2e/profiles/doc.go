// Package profiles shows that each of the chart's three profiles installs as it is, and behaves as its first line says.
//
// This package may change without notice.
package profiles
