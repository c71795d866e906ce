// Package browser drives a headless Chromium in tests, if one is installed: a user who clicks, types and uses the keyboard, and what they see.
//
// This package may change without notice.
package browser
