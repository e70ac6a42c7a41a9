#!/usr/bin/env bash
# Writes the API's description from the code, and the TypeScript client's types from that.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
offer_help "Usage: scripts/openapi.sh
Writes frontend/openapi.json with \`madang openapi\`, and frontend/src/api/schema.d.ts from it." "$@"

cd "$root/frontend"
say "Writing frontend/openapi.json"
description=$("$root/backend/.venv/bin/madang" openapi)
printf '%s\n' "$description" >openapi.json
say "Writing frontend/src/api/schema.d.ts"
npm run --silent generate
