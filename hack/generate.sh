#!/usr/bin/env bash
# Makes everything in the repository that is generated:
#   pkg/api/*/zz_generated.deepcopy.go, config/crd   from the Go types
#   charts/firebreak/files/crds                      from config/crd
#   config/{rbac,webhook,policies,manager}           from the chart
#   the table of values in charts/firebreak/README.md, and the schema of what is declared in values.schema.json
#   charts/firebreak/profiles                        from pkg/cli/profiles
# What has lost its source is removed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

hack/tools/build.sh hack/tools

began=$(mktemp)
trap 'rm -f "$began"' EXIT
bin/controller-gen object:headerFile=hack/boilerplate.go.txt crd paths=./pkg/api/... output:crd:dir=config/crd
# controller-gen writes every file anew; an older file belongs to a kind that no longer exists.
find config/crd -name 'firebreak.dev_*.yaml' ! -newer "$began" -exec rm {} +

crds=charts/firebreak/files/crds
mkdir -p "$crds"
cp config/crd/firebreak.dev_*.yaml "$crds/"
for file in "$crds"/*; do
	if [[ ! -e config/crd/$(basename "$file") ]]; then rm "$file"; fi
done

profiles=charts/firebreak/profiles
rm -rf "$profiles"
cp -R pkg/cli/profiles "$profiles"

bin/chartdoc charts/firebreak # what renders the chart reads its schema
hack/generate-kustomize.sh
