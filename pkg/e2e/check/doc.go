// Package check shows on a real control plane that the commands of the plugin and the webhook say the same.
//
// This package may change without notice.
package check
