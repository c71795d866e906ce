#!/usr/bin/env bash
# Runs kubectl firebreak check with what the action was given. Inputs come as variables, so that none of them is read as shell code.
set -euo pipefail

args=(check --output github --fail-on "${FAIL_ON:-deny}")
read -ra files <<< "${FILES:-.}"
for f in "${files[@]}"; do args+=(--filename "$f"); done
read -ra with <<< "${WITH:?give the estate, such as the values of the chart}"
for w in "${with[@]}"; do args+=(--with "$w"); done
[ -z "${NAMESPACES:-}" ] || args+=(--namespaces "$NAMESPACES")
[ -z "${AS:-}" ] || args+=(--as "$AS")
[ -z "${DIFF:-}" ] || args+=(--diff "$DIFF")
exec "$FIREBREAK" "${args[@]}"
