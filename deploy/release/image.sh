#!/usr/bin/env bash
# image.sh NAME [--push]: build operator, gateway, trainer or trainer-cpu with docker buildx, so that the same commit gives
# the same digest; with --push, print REPOSITORY@DIGEST of what was pushed. BASE=python:3.11-slim@sha256:... pins the base.
set -euo pipefail
cd "$(dirname "$0")/../.."
name=$1
version=$(deploy/release/version.sh)
repository=${REGISTRY:-ghcr.io/trainingjob}/${name%-cpu}
tag=$version
arguments=(--build-arg "VERSION=$version" --build-arg "REVISION=$(git rev-parse HEAD)")
[ -z "${BASE:-}" ] || arguments+=(--build-arg "BASE=$BASE")
platforms=linux/amd64,linux/arm64
case $name in
  operator) file=operator/Dockerfile ;;
  gateway) file=operator/gateway.Dockerfile ;;
  trainer) file=trainer_image/Dockerfile platforms=linux/amd64 ;;
  trainer-cpu) file=trainer_image/Dockerfile platforms=linux/amd64 tag=$version-cpu arguments+=(--build-arg TORCH=cpu) ;;
  *) echo "operator, gateway, trainer or trainer-cpu, not $name" >&2; exit 2 ;;
esac
# Files are dated by the commit, not by the clock; provenance, which has a time in it, is attested beside the image.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
metadata=$(mktemp)
trap 'rm -f "$metadata"' EXIT
output=type=image,name=$repository:$tag,rewrite-timestamp=true
[ "${2:-}" != --push ] || output+=,push=true
${BUILDX:-docker buildx} build . --file "$file" --platform "${PLATFORMS:-$platforms}" --provenance=false --sbom=false \
  "${arguments[@]}" --output "$output" --metadata-file "$metadata" >&2
[ "${2:-}" != --push ] || echo "$repository@$(sed -nE 's/.*"containerimage.digest": "(sha256:[0-9a-f]+)".*/\1/p' "$metadata" | head -1)"
