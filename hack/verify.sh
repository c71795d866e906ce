#!/usr/bin/env bash
# Checks that the sources are formatted, vetted and tidy, and that everything generated is what its sources make today. It
# generates in place and leaves the result there: if it complains, commit the changes that it made.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

generated=('pkg/api/*/zz_generated.*' config/crd config/rbac config/webhook config/policies config/manager charts/firebreak/files/crds charts/firebreak/README.md charts/firebreak/values.schema.json charts/firebreak/profiles)

fail() {
	echo "verify: $*" >&2
	exit 1
}

# Deleted files are listed until the deletion is staged.
mapfile -t sources < <(git ls-files --cached --others --exclude-standard -- '*.go' | while read -r f; do if [[ -e $f ]]; then echo "$f"; fi; done)
unformatted=$(gofmt -s -l "${sources[@]}")
if [[ -n $unformatted ]]; then fail $'these files are not formatted; run gofmt -s -w on them:\n'"$unformatted"; fi

go vet ./...

for module in . hack/tools hack/tools/golangci hack/gremlins hack/dockerlint hack/sbom hack/promtool hack/helm-unittest hack/netpol hack/helm hack/kwok hack/kube hack/e2e; do
	GOWORK=off go -C "$module" mod tidy -diff || fail "go.mod or go.sum of $module is not tidy; run: go -C $module mod tidy"
done

hack/sbom.sh

hack/generate.sh
changed=$(git status --porcelain -- "${generated[@]}")
if [[ -n $changed ]]; then
	git --no-pager diff -- "${generated[@]}" | head -n 200
	fail $'what is generated differs from what is committed; commit it:\n'"$changed"
fi
