// Package static shows on a real API server what holds once it loads Firebreak's admission configuration from its disk: nobody takes the boundary
// away through the API, and the API server refuses and heals as the documents say.
//
// This package may change without notice.
package static
