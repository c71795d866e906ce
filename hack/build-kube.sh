#!/usr/bin/env bash
# Builds what a local control plane and the chart's tests need, from published Go modules:
#   kube-apiserver, kube-controller-manager, kube-scheduler, kubectl, etcd   (hack/kube)
#   kwok and its "fast" stages                                              (hack/kwok)
#   helm                                                                    (hack/helm)
# into bin/kube. It does nothing when bin/kube was built from the same pins, so call it freely:
#   hack/build-kube.sh
# Neither Docker nor a download of binaries is needed; the Go module proxy is enough. The first
# run takes some minutes.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
hack=$root/hack
dest=$root/bin/kube

pins=$(cat "${BASH_SOURCE[0]}" "$hack"/{kube,kwok,helm}/go.{mod,sum} | sha256sum | cut -d' ' -f1)
current() { [[ -r $dest/.pins && $(<"$dest/.pins") == "$pins" ]]; }
if current; then exit 0; fi

mkdir -p "$dest"
# Two test packages may want the binaries at once: the second waits, then finds them built.
exec 9>"$root/bin/.build-kube.lock"
flock 9
if current; then exit 0; fi

# On the same file system as dest, so that each mv below is a rename.
work=$(mktemp -d "$root/bin/.build-kube.XXXXXX")
trap 'rm -rf "$work"' EXIT

export CGO_ENABLED=0 GOWORK=off

module_version() { go -C "$hack/$1" list -m -f '{{.Version}}' "$2"; }

# build MODULE [LDFLAGS] builds every tool that hack/MODULE/go.mod lists.
build() {
	echo "building the tools of hack/$1" >&2
	go -C "$hack/$1" build -trimpath -ldflags "-s -w ${2:-}" -o "$work/" tool
}

kube=$(module_version kube k8s.io/kubernetes)
minor=${kube#v1.}
minor=${minor%%.*}
# Unset, the binaries would call themselves v0.0.0-master, and clients that look at the server's
# version (helm's capabilities, kubectl's skew warning) would be misled.
stamp=k8s.io/component-base/version
build kube "-X $stamp.gitVersion=$kube -X $stamp.gitMajor=1 -X $stamp.gitMinor=$minor -X $stamp.gitTreeState=clean"
build kwok
helm=$(module_version helm helm.sh/helm/v4)
build helm "-X helm.sh/helm/v4/internal/version.version=$helm"
mv "$work/server" "$work/etcd" # its package is named server

kwok_dir=$(go -C "$hack/kwok" list -m -f '{{.Dir}}' sigs.k8s.io/kwok)
mkdir "$work/stages"
for kind in node pod; do
	for stage in "$kwok_dir/kustomize/stage/$kind/fast/$kind"-*.yaml; do
		install -m 0644 "$stage" "$work/stages/"
	done
done

# The old stamp goes first and the new one comes last: interrupted anywhere, this starts again.
# A rename leaves processes that still run an old binary alone.
rm -f "$dest/.pins"
rm -rf "$dest/stages"
mv -f "$work"/* "$dest/"
echo "$pins" >"$dest/.pins"
