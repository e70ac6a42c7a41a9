#!/usr/bin/env bash
# Makes backend/.venv: the locked dependencies and the `madang` command.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
offer_help "Usage: scripts/setup-python.sh
Makes backend/.venv from backend/requirements-dev.lock, with \`madang\` from this checkout in it.
Does nothing when that was done for the same lock. PYTHON names the interpreter to use." "$@"

venv=$root/backend/.venv
stamp=$venv/madang.stamp
wanted=$(digest backend/requirements-dev.lock backend/pyproject.toml scripts/uv.requirements)
if up_to_date "$stamp" "$wanted" && "$venv/bin/python" -c '' 2>/dev/null; then
  exit 0
fi

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if has "$candidate" && new_enough "$candidate"; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  return 1
}

python=$(find_python) || {
  [[ -z ${PYTHON-} ]] || fail "$PYTHON is not Python 3.11 or newer"
  apt_install python3 python3-pip
  python=$(find_python) || fail "missing: Python 3.11 or newer, with pip"
}
"$python" -m pip --version >/dev/null 2>&1 || apt_install python3-pip

uv=$(ensure_uv "$python")
if ! new_enough "$venv/bin/python"; then
  say "Making backend/.venv with $python"
  "$uv" venv --quiet --clear --python "$python" "$venv"
fi
say "Installing the locked Python packages"
rm -f "$stamp"
"$uv" pip sync --quiet --compile-bytecode --require-hashes --python "$venv/bin/python" \
  "$root/backend/requirements-dev.lock"
"$uv" pip install --quiet --no-deps --python "$venv/bin/python" --editable "$root/backend"
printf '%s\n' "$wanted" >"$stamp"
