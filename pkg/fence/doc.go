// Package fence makes of the estate the policies that hold the boundary inside the API server while Firebreak is away: names of production in what
// runs elsewhere, writes into production by persons who are not members of it, and Jobs that persons start there while no window is open.
//
// The fence never refuses what Firebreak would admit, and admits some of what it would refuse; README.md lists which. What it knows stands in
// ConfigMaps, by which the policies are parameterised.
//
// The package is pure: it imports no client.
//
// This package may change without notice.
package fence
