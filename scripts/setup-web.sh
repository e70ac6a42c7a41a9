#!/usr/bin/env bash
# Installs the locked node modules and builds the single-page application.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
offer_help "Usage: scripts/setup-web.sh
Installs frontend/node_modules from frontend/package-lock.json and builds frontend/dist.
Does nothing when that was done for the same files." "$@"

cd "$root/frontend"
if ! has node || ! has npm; then
  fail "missing: Node 20.19 or newer, with npm"
fi
node -e 'const [a, b] = process.versions.node.split(".").map(Number)
  process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
  fail "missing: Node 20.19 or newer; $(command -v node) is $(node --version)"

modules=node_modules/madang.stamp
wanted="$(digest frontend/package.json frontend/package-lock.json frontend/.npmrc) $(node --version)"
if ! up_to_date "$modules" "$wanted"; then
  say "Installing the locked node modules"
  npm ci --no-audit --no-fund --no-update-notifier --loglevel=error
  printf '%s\n' "$wanted" >"$modules"
fi

built=node_modules/madang-build.stamp
sources=(frontend/src frontend/public frontend/build frontend/index.html frontend/vite.config.ts
  frontend/package-lock.json)
wanted=$(digest "${sources[@]}")
if ! [[ -f dist/index.html ]] || ! up_to_date "$built" "$wanted"; then
  say "Building the web application"
  rm -f "$built"
  npm run --silent build -- --logLevel warn
  printf '%s\n' "$wanted" >"$built"
fi
