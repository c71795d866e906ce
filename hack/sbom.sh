#!/usr/bin/env bash
# Lists the parts of bin/firebreak and bin/kubectl-firebreak in bin/*.cdx.json, in CycloneDX, and checks that the list names each
# module that went into a binary.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

hack/tools/build.sh hack/sbom

for binary in firebreak kubectl-firebreak; do
	out=bin/$binary.cdx.json
	bin/cyclonedx-gomod bin -json -noserial -notimestamp -output "$out" "bin/$binary" 2>/dev/null
	while read -r module version; do
		if ! grep -qE "\"pkg:golang/${module//./\\.}@${version//[.+]/.}[\"?]" "$out"; then
			echo "sbom: $out lacks $module $version" >&2
			exit 1
		fi
	done < <(go version -m "bin/$binary" | awk '$1 == "dep" {print $2, $3}')
	echo "$out: $(go version -m "bin/$binary" | grep -c '^[[:space:]]dep') modules"
done
