// Package ownrbac shows that the chart's roles for Firebreak itself are enough and no more: with them everything works, each verb
// of each rule is used, and without any one rule a behaviour breaks that the package names.
//
// This package may change without notice.
package ownrbac
