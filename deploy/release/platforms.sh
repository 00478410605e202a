#!/usr/bin/env bash
# platforms.sh: let docker buildx build for the other architecture, by emulation.
set -euo pipefail
docker run --privileged --rm tonistiigi/binfmt --install arm64
docker buildx create --use --driver docker-container
