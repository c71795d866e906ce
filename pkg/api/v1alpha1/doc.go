// Package v1alpha1 is the API of Firebreak, group firebreak.dev: the eight kinds in which a platform team says
// what belongs to which environment and when production may change.
//
// The generated CRDs hold what OpenAPI and CEL can express. The ValidatingAdmissionPolicies in the chart judge what
// needs the namespace, the requester or RBAC. The webhook judges what needs the estate or the clock. A field is added
// here first; `make generate` then rewrites the deepcopy code and the CRDs. The completeness tests of the packages that
// judge these kinds stay red until those packages have decided on it.
//
// This package may import apimachinery and k8s.io/api only.
//
// +kubebuilder:object:generate=true
// +groupName=firebreak.dev
package v1alpha1
