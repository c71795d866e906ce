// Package upgrade shows that Firebreak is upgraded from the chart before this one while requests go on, and that none of them
// fails, or passes unjudged, because of it. testdata has the chart before, as it was packaged; a release replaces it.
//
// This package may change without notice.
package upgrade
