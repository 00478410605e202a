#!/usr/bin/env bash
# audit.sh: look up known vulnerabilities of everything that the images' lock files name. A package that could not be looked
# up is a failure as well: silence is no answer. UVX names uvx.
set -euo pipefail
cd "$(dirname "$0")/../.."
for image in operator gateway trainer; do
  echo "requirements/$image.txt"
  "${UVX:-uvx}" --quiet pip-audit==2.10.1 --requirement "requirements/$image.txt" --require-hashes --disable-pip --strict
done
