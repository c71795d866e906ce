// Package crd holds the definitions of Firebreak's kinds, as they are installed.
package crd

import "embed"

// Files are the definitions, one file for each kind.
//
//go:embed *.yaml
var Files embed.FS
