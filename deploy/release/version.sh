#!/usr/bin/env bash
# version.sh [TAG]: print the version that every file names; fails if they differ, or if TAG (v1.2.3) is another one.
set -euo pipefail
cd "$(dirname "$0")/../.."
found=$(
  sed -nE 's/^version = "(.*)"$/\1/p' pyproject.toml | head -1
  sed -nE 's/^RELEASE: Final = "([^"]*)".*/\1/p' crds/trainingjob_api/contract.py
  sed -nE 's/^(version|appVersion): (.*)$/\2/p' deploy/chart/Chart.yaml
  grep -rhoE '(ghcr\.io/trainingjob|REGISTRY)/[a-z]+:[0-9][^" ,]*' deploy docs README.md --exclude=releasing.md | sed -E 's/.*:([^-]*).*/\1/'
  sed -nE 's/.*newTag: ([^}]*)}.*/\1/p' deploy/gitops/example/*/kustomization.yaml
  sed -nE 's/^ARG VERSION=(.*)$/\1/p' */Dockerfile */*.Dockerfile 2>/dev/null || true
)
if [ "$(sort -u <<<"$found" | wc -l)" != 1 ]; then
  echo "the versions differ: $(sort -u <<<"$found" | tr '\n' ' ')" >&2
  exit 1
fi
version=$(head -1 <<<"$found")
if [ -n "${1:-}" ] && [ "$1" != "v$version" ]; then
  echo "the tag is $1, the files say $version" >&2
  exit 1
fi
echo "$version"
