#!/usr/bin/env bash
# artifacts.sh FOLDER: make what is released beside the images: wheel and source, chart, install.yaml, the CRDs, a list of
# contents (SBOM) for each image, and the checksums of all. UV, HELM and PYTHON name the programs.
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")/../.."
version=$(deploy/release/version.sh)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
"${UV:-uv}" build --quiet --out-dir "$out"
rm -f "$out/.gitignore"
# It tells of every link that it follows.
"${HELM:-helm}" package deploy/chart --destination "$out" 2>&1 | grep -vE 'symbolic link|^Successfully' >&2 || true
[ -f "$out/trainingjob-$version.tgz" ]
cp deploy/install.yaml "$out/install.yaml"
for crd in crds/*.yaml; do
  [ "$(basename "$crd")" = kustomization.yaml ] || { cat "$crd"; echo ---; }
done | sed '$d' >"$out/crds.yaml"
for image in operator gateway trainer; do
  # With the status file of the base image's dpkg, Debian's packages are listed as well.
  "${PYTHON:-python3}" deploy/images/sbom.py "ghcr.io/trainingjob/$image:$version" "requirements/$image.txt" \
    ${DPKG_STATUS:+--dpkg "$DPKG_STATUS"} >"$out/$image.cdx.json"
done
(cd "$out" && rm -f SHA256SUMS && sha256sum -- * >"${TMPDIR:-/tmp}/sums.$$" && mv "${TMPDIR:-/tmp}/sums.$$" SHA256SUMS)
