#!/usr/bin/env bash
# Starts the whole system on this machine.
set -euo pipefail

if [[ ${1-} == -h || ${1-} == --help ]]; then
  cat <<'END'
Usage: deploy/compose/up.sh [--kafka-nodes 1|3] [--observability]
Makes the passwords by setup.sh, the first time, when the options count; builds the images, unless
MADANG_REGISTRY is set in deploy/compose/.env; starts everything by Docker Compose or, where that is
not, by podman-compose; and waits for what it starts. Safe to run again.
END
  exit 0
fi

directory=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if docker compose version >/dev/null 2>&1; then
  command=(docker compose -f "$directory/compose.yaml" up --detach --wait)
elif command -v podman-compose >/dev/null; then
  # Waits for what the next part needs in any case; with --wait, for one-shots to run for ever too.
  command=(podman-compose -f "$directory/compose.yaml" up --detach)
else
  printf 'error: neither docker compose nor podman-compose is here\n' >&2
  exit 1
fi

"$directory/setup.sh" "$@"
grep -q '^MADANG_REGISTRY=.' "$directory/.env" || command+=(--build)
printf '==> %s\n' "${command[*]}"
exec "${command[@]}"
