module github.com/firebreak-dev/firebreak

go 1.26.0

require (
	k8s.io/api v0.36.3
	k8s.io/apiextensions-apiserver v0.36.3
	k8s.io/apimachinery v0.36.3
	k8s.io/client-go v0.36.3
	sigs.k8s.io/controller-runtime v0.24.1
	github.com/open-policy-agent/cert-controller v0.16.0
	github.com/go-logr/logr v1.4.3
	github.com/google/go-cmp v0.7.0
	github.com/spf13/cobra v1.10.2
	k8s.io/cli-runtime v0.36.3
	sigs.k8s.io/yaml v1.6.0
	mvdan.cc/sh/v3 v3.13.1
	golang.org/x/net v0.50.0
)
