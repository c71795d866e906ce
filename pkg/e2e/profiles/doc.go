// Package profiles shows that each of the chart's three profiles installs as it is, and behaves as its first line says.
package profiles
