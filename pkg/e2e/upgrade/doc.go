// Package upgrade shows that an upgrade from the chart before this one, while requests go on, lets no request fail or pass
// unjudged. testdata holds the previous chart, as it was packaged; a release replaces it.
//
// This package may change without notice.
package upgrade
