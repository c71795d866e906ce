// Package tools tells which programs a template runs, and which of them are tools of maintenance. Its lists are data: a tool is added
// by adding its name, and the README of pkg/policy shows the list.
//
// It is pure: it may import the standard library, pkg/workload and pkg/reference.
package tools
