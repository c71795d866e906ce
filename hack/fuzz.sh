#!/usr/bin/env bash
# Runs every fuzz target for a time, 30 s by default. What a target finds stays in the testdata/fuzz of the package, to be
# committed with the fix.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ulimit -v 12000000

grep -r --include='*_test.go' -o '^func Fuzz[A-Za-z]*' pkg cmd hack | sort | while IFS=: read -r file func; do
	target=${func#func }
	echo "==> $target in $(dirname "$file")"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "${1:-30s}" "./$(dirname "$file")" </dev/null
done
