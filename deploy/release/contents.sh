#!/usr/bin/env bash
# contents.sh REFERENCE@DIGEST LOCK: the list of contents (CycloneDX) of a pushed image, from requirements/LOCK.txt and the
# status file of the image's own dpkg.
set -euo pipefail
cd "$(dirname "$0")/../.."
reference=$1 status=$(mktemp)
container=$(docker create --platform linux/amd64 "$reference")
trap 'docker rm "$container" >/dev/null; rm -f "$status"' EXIT
docker cp --quiet "$container:/var/lib/dpkg/status" "$status" >&2
"${PYTHON:-python3}" deploy/images/sbom.py "${reference%@*}:$(deploy/release/version.sh)" "requirements/$2.txt" --dpkg "$status"
