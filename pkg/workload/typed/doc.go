// Package typed decodes JSON into objects of Kubernetes' own types, in less time and memory than a general decoder takes. It decodes what is
// plain, which is what API servers write, and refuses the rest.
//
// The package is pure. It rests on jsontext for the tokens; what it adds is that it knows the types beforehand.
//
// This package may change without notice.
package typed
