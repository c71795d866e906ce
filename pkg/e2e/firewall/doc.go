// Package firewall tests on a real control plane that the network policies which Firebreak writes are those that it previews, stay as they
// are, touch nothing of anybody else's, and go with the value that has them written. What the policies mean is tested in pkg/firewall.
//
// This package may change without notice.
package firewall
