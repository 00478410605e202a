#!/usr/bin/env bash
# chart.sh FOLDER: push the chart's package that lies in a folder as an OCI artifact; prints REPOSITORY@DIGEST.
set -euo pipefail
registry=${REGISTRY:-ghcr.io/trainingjob}/charts
said=$("${HELM:-helm}" push "$1"/trainingjob-[0-9]*.tgz "oci://$registry" 2>&1)
echo "$said" >&2
echo "$registry/trainingjob@$(sed -nE 's/^Digest: (sha256:[0-9a-f]+).*/\1/p' <<<"$said")"
