#!/usr/bin/env bash
# notes.sh: what CHANGELOG.md says of this version; nothing is an error.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=$(deploy/release/version.sh)
text=$(awk -v heading="## $version" '/^## / {ours = index($0, heading) == 1; next} ours' CHANGELOG.md)
[ -n "${text//[[:space:]]/}" ] || { echo "CHANGELOG.md has no section '## $version'" >&2; exit 1; }
echo "$text"
