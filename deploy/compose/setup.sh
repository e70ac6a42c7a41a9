#!/usr/bin/env bash
# Makes the passwords that compose.yaml needs, once.
set -euo pipefail

if [[ ${1-} == -h || ${1-} == --help ]]; then
  cat <<'END'
Usage: deploy/compose/setup.sh [--kafka-nodes 1|3] [--observability] [--output FILE]
Writes deploy/compose/.env (or FILE), readable by its owner only, with generated passwords, the
number of Kafka nodes (1 when left out) and the names of settings that may be changed there.
With --observability a collector, Loki, Tempo, Prometheus and Grafana run too.
An existing file stays as it is: the volumes cannot be opened without its passwords.
END
  exit 0
fi

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

nodes=1 endpoint='' logs=none
profiles=()
file=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/.env
while [[ $# -gt 0 ]]; do
  case $1 in
    --kafka-nodes) nodes=${2:?--kafka-nodes needs a value} && shift ;;
    --observability) profiles+=(observability) endpoint=http://collector:4318 logs=otlp ;;
    --output) file=${2:?--output needs a value} && shift ;;
    *) fail "unknown argument: $1 (see --help)" ;;
  esac
  shift
done

if [[ -e $file ]]; then
  printf '==> %s is there and stays as it is\n' "$file"
  exit 0
fi
case $nodes in
  1) voters=1@kafka-1:9093 in_sync=1 ;;
  3) profiles+=(cluster) voters=1@kafka-1:9093,2@kafka-2:9093,3@kafka-3:9093 in_sync=2 ;;
  *) fail "--kafka-nodes must be 1 or 3, not '$nodes'" ;;
esac

# Letters and digits only: two of them stand in addresses.
random() { od -An -v -N24 -tx1 /dev/urandom | tr -d ' \n'; }
# What Kafka calls a UUID: 16 bytes in base64, 22 characters; not beginning with a dash.
cluster_id() { printf 'M%s' "$(head -c 16 /dev/urandom | base64 | tr '+/' 'AB' | cut -c2-22)"; }

umask 077
cat >"$file.new" <<END
# Made by deploy/compose/setup.sh. Keep it: the volumes cannot be opened without these passwords.
MADANG_SECRET_KEY=$(random)
MADANG_ADMIN_USERNAME=admin
MADANG_ADMIN_PASSWORD=$(random)
MARIADB_PASSWORD=$(random)
MARIADB_ROOT_PASSWORD=$(random)
REDIS_PASSWORD=$(random)

# Kafka's nodes cannot change once it has run.
KAFKA_CLUSTER_ID=$(cluster_id)
KAFKA_VOTERS=$voters
KAFKA_IN_SYNC=$in_sync
KAFKA_NODES=$nodes

COMPOSE_PROFILES=$(IFS=, && printf '%s' "${profiles[*]}")

# Where traces, metrics and logs are sent. With the profile observability:
# http://collector:4318, and otlp for the logs. Grafana is for the user admin.
OTEL_EXPORTER_OTLP_ENDPOINT=$endpoint
OTEL_LOGS_EXPORTER=$logs
GRAFANA_PASSWORD=$(random)
GRAFANA_PORT=3000

# Where the board answers. Behind a proxy with TLS set MADANG_PUBLIC_URL=https://board.example.
MADANG_ADDRESS=127.0.0.1
MADANG_PORT=8080
MADANG_PUBLIC_URL=

# How long calls are kept.
MADANG_PRUNE_KEEP=30d

# Images from a registry instead of built here: MADANG_REGISTRY=registry.example/ (with the slash).
MADANG_REGISTRY=
MADANG_TAG=dev
END
mv "$file.new" "$file"
printf '==> %s is made; the administrator is "admin", the password stands there\n' "$file"
