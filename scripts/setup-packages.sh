#!/usr/bin/env bash
# Installs the programs that the tests, `make up` and the measurements start.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
offer_help "Usage: scripts/setup-packages.sh
Installs with apt what is missing of: MariaDB, Redis, nginx, Chromium, a font with Hangul, wrk,
shellcheck, Java, Maven, podman, runc and debootstrap. What is there already stays as it is. The
tests start their own processes; daemons that the packages start are not used and not touched." "$@"

missing=()
# need PACKAGE COMMAND...: the package is missing unless one of the commands is there.
need() {
  local package=$1 command
  shift
  for command in "$@"; do
    if has "$command"; then
      return
    fi
  done
  missing+=("$package")
}

has_hangul() { has fc-list && [[ -n $(fc-list ':lang=ko') ]]; }
java_version() { java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p'; }

need mariadb-server mariadbd
need redis-server redis-server valkey-server
need nginx nginx
need chromium chromium chromium-browser google-chrome
need wrk wrk
need shellcheck shellcheck
need default-jre-headless java
need maven mvn
need openssl openssl
need util-linux setpriv
need podman podman
need runc runc
need debootstrap debootstrap
has_hangul || missing+=(fontconfig fonts-noto-cjk)
if [[ ${#missing[@]} -gt 0 ]]; then
  apt_install "${missing[@]}"
fi
[[ $(java_version) -ge 17 ]] || fail "missing: Java 17 or newer; $(command -v java) is older"
