// Package controlplane starts a real Kubernetes control plane as local processes, for Firebreak's
// demo and its tests: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and kwok,
// which plays the nodes. It also plays one node itself: a PodRunner runs the Pods of a Deployment
// as local processes, so that the chart can be tested as it would be installed.
//
// It needs Linux, the binaries that hack/build-kube.sh builds, and neither root nor Docker.
//
// # Network
//
// Every control plane and every Pod has a loopback address of its own, 127.x.y.z with x from 64 to 95, so that many run side by
// side with the ports they have in a cluster. The API refuses loopback addresses in EndpointSlices, so objects show the same host
// as 100.x.y.z, and the API server reaches the cluster through a small proxy that translates addresses (see clusterNetwork).
// Webhooks may therefore be registered by Service, just as the chart does it.
//
// # What it cannot show
//
// No container really runs on kwok's nodes (exec, attach, logs and port-forward are answered by
// kwok's own server), there is no mount namespace, and there is a single API server.
//
// It imports the Kubernetes client libraries and the standard library only. To add a component,
// give it a file like scheduler.go and a line in ControlPlane.startComponents.
//
// This package may change without notice.
package controlplane
