// Package e2e holds the end-to-end tests, one folder for each subject, so that they run in parallel. Each starts a real control
// plane with Firebreak installed from its chart (pkg/e2e/stage); nothing on the path is mocked.
//
// This package may change without notice.
package e2e
