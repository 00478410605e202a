#!/usr/bin/env bash
# sign.sh REFERENCE@DIGEST [SBOM]: sign an image or a chart in a registry with cosign, by the identity of the workflow that
# runs this (no key), and attach its list of contents.
set -euo pipefail
reference=$1
[[ $reference == *@sha256:* ]] || { echo "sign by digest, not by tag: $reference" >&2; exit 2; }
"${COSIGN:-cosign}" sign --yes "$reference"
[ -z "${2:-}" ] || "${COSIGN:-cosign}" attest --yes --type cyclonedx --predicate "$2" "$reference"
