#!/usr/bin/env bash
# check.sh: every part of a release that needs neither a registry nor an identity, twice: the second time must give the
# same bytes. Ends with what could not be checked here.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
missing=()
version=$(deploy/release/version.sh)
lines=$(deploy/release/notes.sh | wc -l)
echo "version $version, $lines lines of notes"
deploy/release/artifacts.sh "$folder/first"
deploy/release/artifacts.sh "$folder/second"
diff -r "$folder/first" "$folder/second"
ls -l "$folder/first"
if docker buildx version >/dev/null 2>&1; then
  PLATFORMS=linux/amd64 deploy/release/image.sh operator
else
  missing+=("images: there is no docker buildx")
fi
deploy/release/audit.sh || missing+=("vulnerabilities: see above")
command -v "${COSIGN:-cosign}" >/dev/null || missing+=("signatures: there is no cosign, and nobody to sign as")
echo "not checked here:"
printf '  %s\n' "${missing[@]:-nothing}"
