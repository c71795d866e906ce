// Package v1alpha1 is the API of Firebreak, group firebreak.dev: the seven kinds in which a platform team says
// what belongs to which environment and when production may change.
//
// What OpenAPI and CEL can hold, the generated CRDs hold; what needs the namespace, the requester or RBAC is held
// by the ValidatingAdmissionPolicies in the chart; what needs the estate or the clock is judged by the webhook.
// A field is added here first; `make generate` then rewrites the deepcopy code and the CRDs, and the completeness
// tests of the packages that judge these kinds go red until they have decided on it.
//
// This package may import apimachinery and k8s.io/api only.
//
// +kubebuilder:object:generate=true
// +groupName=firebreak.dev
package v1alpha1
