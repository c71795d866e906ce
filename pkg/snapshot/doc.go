// Package snapshot writes the declared environments and data stores into ConfigMaps, and reads them again. Firebreak keeps such a copy beside itself,
// so that it knows after a restart what was declared, even if the kinds are no longer served.
//
// This package may change without notice.
package snapshot
