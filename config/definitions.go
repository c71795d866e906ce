// Package config holds what `make generate` writes of Firebreak's kinds, for programs.
package config

import "embed"

// Definitions are the CustomResourceDefinitions, one file for each kind, under crd.
//
//go:embed crd/*.yaml
var Definitions embed.FS
