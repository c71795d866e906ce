#!/usr/bin/env bash
# Renders the kustomize tree in config/ from the chart with its default values, so that both install the same objects.
# The CRDs are not rendered: config/crd has them from their generator.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# folder_of TEMPLATE says which folder of config/ a template of the chart belongs to.
folder_of() {
	case $1 in
	crds.yaml) ;;
	rbac.yaml | userroles.yaml) echo rbac ;;
	webhooks.yaml) echo webhook ;;
	policies.yaml) echo policies ;;
	*) echo manager ;;
	esac
}

# kustomization FOLDER lists the folder's files.
kustomization() {
	{
		echo "# Made by make generate. DO NOT EDIT."
		echo "apiVersion: kustomize.config.k8s.io/v1beta1"
		echo "kind: Kustomization"
		echo "resources:"
		(cd "$1" && LC_ALL=C ls) | grep -v '^kustomization\.yaml' | sed 's/^/  - /'
	} >"$1/kustomization.yaml.new"
	mv "$1/kustomization.yaml.new" "$1/kustomization.yaml"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Nothing of the user's Helm is read, nor written.
HELM_CACHE_HOME=$work/helm HELM_CONFIG_HOME=$work/helm HELM_DATA_HOME=$work/helm \
	bin/kube/helm template firebreak charts/firebreak --namespace firebreak-system \
	--set cluster.name=replace-me --set image.repository=ghcr.io/firebreak-dev/firebreak --output-dir "$work" >/dev/null

mkdir -p "$work"/tree/{rbac,webhook,policies,manager}
for rendered in "$work"/firebreak/templates/*.yaml; do
	template=$(basename "$rendered")
	folder=$(folder_of "$template")
	if [[ -z $folder ]]; then continue; fi
	{
		echo "# Made from charts/firebreak/templates/$template by make generate. DO NOT EDIT."
		# These objects are no Helm release, and must not say so.
		sed -e '/^# Source: /d' -e '/^ *helm\.sh\/chart: /d' -e '/^ *app\.kubernetes\.io\/managed-by: Helm$/d' "$rendered"
	} >"$work/tree/$folder/$template"
done

for folder in rbac webhook policies manager; do
	kustomization "$work/tree/$folder"
	rm -rf "config/$folder"
	mv "$work/tree/$folder" "config/$folder"
done
kustomization config/crd

# What does not build would be found by a user.
bin/kube/kubectl kustomize config >/dev/null
