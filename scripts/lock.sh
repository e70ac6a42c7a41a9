#!/usr/bin/env bash
# Writes the locks of the Python dependencies anew.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
offer_help "Usage: scripts/lock.sh [--upgrade] [--upgrade-package NAME]
Writes backend/requirements.lock and backend/requirements-dev.lock from backend/pyproject.toml, and
backend/requirements-build.lock (what builds the package) from its [build-system], for all
platforms, with hashes and without addresses. Versions stay where they can unless --upgrade asks
for the newest." "$@"

cd "$root/backend"
compile=("$(ensure_uv python3)" pip compile --quiet --universal --generate-hashes --no-header
  --no-emit-index-url --python-version 3.11 "$@")
say "Writing requirements.lock"
"${compile[@]}" pyproject.toml --output-file requirements.lock
say "Writing requirements-dev.lock"
"${compile[@]}" pyproject.toml --group dev --constraint requirements.lock \
  --output-file requirements-dev.lock
say "Writing requirements-build.lock"
python3 -c 'import tomllib
print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' |
  "${compile[@]}" - --output-file requirements-build.lock
if grep -nE '://' requirements*.lock; then
  fail "the locks name an address"
fi
