// Package ownrbac shows that the chart's roles for Firebreak itself are enough and no more: everything works with them, each
// verb of each rule is used by that, and without any one rule something breaks that is named here.
//
// This package may change without notice.
package ownrbac
