// Package attack plays ways around Firebreak that an attack has found, on a real control plane, with real users and real RBAC:
// borrowed and minted identities, custom resources, autoscalers, sessions, shared namespaces and the record itself.
//
// This package may change without notice.
package attack
