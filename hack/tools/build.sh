#!/usr/bin/env bash
# Builds the tools that a module here pins into bin/. It does nothing when they were built from the same pins, so call
# it freely:
#   hack/tools/build.sh hack/tools            # bin/controller-gen, bin/chartdoc
#   hack/tools/build.sh hack/tools/golangci   # bin/golangci-lint-kube-api-linter: some minutes the first time
#   hack/tools/build.sh hack/promtool         # bin/promtool: some minutes the first time
#   hack/tools/build.sh hack/helm-unittest    # bin/helm-unittest
#   hack/tools/build.sh hack/netpol           # bin/netpol
#   hack/tools/build.sh hack/gremlins         # bin/gremlins
#   hack/tools/build.sh hack/dockerlint       # bin/dockerlint
#   hack/tools/build.sh hack/sbom             # bin/cyclonedx-gomod
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
module=${1:?which module of tools, such as hack/tools?}
cd "$root/$module"
stamp=$root/bin/.tools-$(basename "$module")

export CGO_ENABLED=0 GOWORK=off

# Besides the pins: the tools' own sources, where the module has some, and the compiler, since a linter must not be
# older than the code that it reads.
pins=$({ go version; cat "$root/hack/tools/build.sh" go.mod go.sum; find . -mindepth 2 -name '*.go' | LC_ALL=C sort | xargs -r cat; } | cksum)
if [[ -r $stamp && $(<"$stamp") == "$pins" ]]; then exit 0; fi

mkdir -p "$root/bin"
# On the same file system as bin, so that mv is a rename: a tool that still runs is left alone.
work=$(mktemp -d "$root/bin/.tools.XXXXXX")
trap 'rm -rf "$work"' EXIT

echo "building the tools of $module" >&2
go build -trimpath -ldflags '-s -w' -o "$work/" tool
rm -f "$stamp"
mv -f "$work"/* "$root/bin/"
echo "$pins" >"$stamp"
