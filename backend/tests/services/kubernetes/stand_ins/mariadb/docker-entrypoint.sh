#!/usr/bin/env bash
# Sets an empty data directory up as the official image does, for the variables that the chart gives.
set -euo pipefail

data=/var/lib/mysql
socket=/run/mysqld/mysqld.sock

log() { printf '[Entrypoint]: %s\n' "$*"; }
fail() {
  log "$*" >&2
  exit 1
}

# quoted VALUE: an SQL string literal.
quoted() {
  local text=${1//\\/\\\\}
  printf "'%s'" "${text//\'/\\\'}"
}

as_root() { MYSQL_PWD=${1-} mariadb --protocol=socket --socket="$socket" --user=root "${@:2}"; }

# While data is set up the server listens only on the socket.
start_temporary() {
  "$@" --skip-networking --socket="$socket" --loose-innodb_buffer_pool_load_at_startup=0 &
  server=$!
  local _
  for _ in {1..30}; do
    if as_root "$password" --execute='SELECT 1' >/dev/null 2>&1; then
      return
    fi
    sleep 1
  done
  fail "Unable to start server."
}

stop_temporary() {
  kill "$server"
  wait "$server"
}

statements() {
  local secret
  secret=$(quoted "$MARIADB_ROOT_PASSWORD")
  printf 'ALTER USER root@localhost IDENTIFIED BY %s;\n' "$secret"
  if [[ ${MARIADB_ROOT_HOST:-%} != localhost ]]; then
    printf "CREATE USER root@'%s' IDENTIFIED BY %s;\n" "${MARIADB_ROOT_HOST:-%}" "$secret"
    printf "GRANT ALL ON *.* TO root@'%s' WITH GRANT OPTION;\n" "${MARIADB_ROOT_HOST:-%}"
  fi
  [[ -z ${MARIADB_DATABASE-} ]] || printf "CREATE DATABASE IF NOT EXISTS \`%s\`;\n" "$MARIADB_DATABASE"
  [[ -n ${MARIADB_USER-} && -n ${MARIADB_PASSWORD-} ]] || return 0
  printf "CREATE USER '%s'@'%%' IDENTIFIED BY %s;\n" "$MARIADB_USER" "$(quoted "$MARIADB_PASSWORD")"
  [[ -z ${MARIADB_DATABASE-} ]] ||
    printf "GRANT ALL ON \`%s\`.* TO '%s'@'%%';\n" "${MARIADB_DATABASE//_/\\_}" "$MARIADB_USER"
}

initialize() {
  [[ -n ${MARIADB_ROOT_PASSWORD-} ]] ||
    fail "Database is uninitialized and password option is not specified: MARIADB_ROOT_PASSWORD"
  log "Initializing database files"
  mariadb-install-db --datadir="$data" --rpm --auth-root-authentication-method=normal --skip-test-db
  password=
  start_temporary "$@"
  if [[ -z ${MARIADB_INITDB_SKIP_TZINFO-} ]]; then
    mariadb-tzinfo-to-sql --skip-write-binlog /usr/share/zoneinfo | as_root '' mysql
  fi
  statements | as_root ''
  stop_temporary
  log "MariaDB init process done. Ready for start up."
}

upgrade() {
  password=${MARIADB_ROOT_PASSWORD-}
  start_temporary "$@"
  if MYSQL_PWD=$password mariadb-upgrade --check-if-upgrade-is-needed --socket="$socket" --user=root; then
    log "Starting mariadb-upgrade"
    MYSQL_PWD=$password mariadb-upgrade --upgrade-system-tables --socket="$socket" --user=root
  fi
  stop_temporary
}

[[ ${1-} != -* ]] || set -- mariadbd "$@"
if [[ ${1-} == mariadbd || ${1-} == mysqld ]]; then
  mkdir -p "$data"
  if [[ ! -d $data/mysql ]]; then
    initialize "$@"
  elif [[ -n ${MARIADB_AUTO_UPGRADE-} ]]; then
    upgrade "$@"
  fi
fi
exec "$@"
