#!/usr/bin/env bash
# Runs shellcheck over every shell script of the repository.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
offer_help "Usage: scripts/check-shell.sh
Runs shellcheck over every file that starts as a shell script does." "$@"

cd "$root"
git ls-files -z --cached --others --exclude-standard |
  xargs -0 grep -lsE '^#!.*\b(ba|da)?sh$|^# shellcheck shell=' -- |
  xargs shellcheck
