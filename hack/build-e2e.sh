#!/usr/bin/env bash
# Builds Kubernetes' own end-to-end tests, and ginkgo, which runs them, from published Go modules (hack/e2e) into
# bin/e2e. It does nothing when bin/e2e was built from the same pins, so call it freely:
#   hack/build-e2e.sh
# The manifests and fixtures that the tests read are embedded in the binary.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
module=$root/hack/e2e
dest=$root/bin/e2e

pins=$(cat "${BASH_SOURCE[0]}" "$module"/{e2e.go,go.mod,go.sum} | sha256sum | cut -d' ' -f1)
if [[ -r $dest/.pins && $(<"$dest/.pins") == "$pins" ]]; then exit 0; fi

mkdir -p "$dest"
# On the same file system as dest, so that each mv below is a rename.
work=$(mktemp -d "$root/bin/.build-e2e.XXXXXX")
trap 'rm -rf "$work"' EXIT

export CGO_ENABLED=0 GOWORK=off

echo "building Kubernetes' end-to-end tests: some minutes the first time" >&2
kube=$(go -C "$module" list -m -f '{{.Version}}' k8s.io/kubernetes)
# Some specs compare versions: unset, the tests would call themselves v0.0.0-master.
stamp=k8s.io/component-base/version
go -C "$module" test -c -trimpath -ldflags "-s -w -X $stamp.gitVersion=$kube" -o "$work/e2e.test" k8s.io/kubernetes/test/e2e
go -C "$module" build -trimpath -ldflags '-s -w' -o "$work/" tool

rm -f "$dest/.pins"
mv -f "$work"/* "$dest/"
echo "$pins" >"$dest/.pins"
