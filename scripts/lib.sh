# shellcheck shell=bash
# What the set-up scripts share. Sourced, not run.

root=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export UV_PYTHON_DOWNLOADS=never

say() { printf '==> %s\n' "$*"; }

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# offer_help TEXT "$@": prints TEXT when the first argument asks for it.
offer_help() {
  case ${2-} in
    -h | --help)
      printf '%s\n' "$1"
      exit 0
      ;;
  esac
}

has() { command -v "$1" >/dev/null 2>&1 || [[ -x /usr/sbin/$1 ]]; }

# The same path as cache_directory() in backend/tests/services/workspace.py. Root's home is closed
# to the users that services run as, so root has its cache elsewhere.
cache_directory() {
  if [[ -n ${MADANG_CACHE_DIR-} ]]; then
    printf '%s\n' "$MADANG_CACHE_DIR"
  elif [[ $EUID -eq 0 ]]; then
    printf '/var/cache/madang\n'
  else
    printf '%s/madang\n' "${XDG_CACHE_HOME:-$HOME/.cache}"
  fi
}

# ensure_uv PYTHON: prints the path of the pinned uv, installed with this Python's pip when needed.
ensure_uv() {
  local version target
  version=$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' "$root/scripts/uv.requirements")
  target=$(cache_directory)/uv-$version
  if [[ ! -x $target/bin/uv ]]; then
    say "Installing uv into $target" >&2
    "$1" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
      --require-hashes --target "$target" --requirement "$root/scripts/uv.requirements"
  fi
  printf '%s/bin/uv\n' "$target"
}

# digest PATH...: one checksum over the names and contents of all files given or below, from root.
digest() {
  cd "$root" && find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

# up_to_date STAMP VALUE: whether the work that left this stamp was done for this value.
up_to_date() { [[ -f $1 && $(<"$1") == "$2" ]]; }

# apt_get ARGUMENT...: with the rights it takes, or says that they are missing.
apt_get() {
  local -a elevate=()
  if [[ $EUID -ne 0 ]]; then
    has sudo || fail "apt-get $*: needs root or sudo."
    elevate=(sudo)
    [[ -t 0 ]] || elevate=(sudo -n)
  fi
  "${elevate[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "$@"
}

# apt_install PACKAGE...: installs, or says what a person has to install.
apt_install() {
  has apt-get || fail "missing: $* (Debian's names). There is no apt here; install them by hand."
  say "Installing with apt: $*"
  apt_get update -q
  apt_get install -q -y --no-install-recommends "$@"
}

# apt_file PACKAGE PATH FILE: one file out of a package that is not installed.
apt_file() {
  local scratch download=(apt-get -q -o APT::Sandbox::User=root download "$1")
  has apt-get || fail "missing: ${2##*/} (of Debian's package $1). There is no apt here; install it by hand."
  scratch=$(mktemp -d)
  (cd "$scratch" && { "${download[@]}" || { apt_get update -q && "${download[@]}"; }; }) >&2
  dpkg-deb --fsys-tarfile "$scratch"/*.deb | tar --extract --to-stdout "./$2" >"$scratch/file"
  mv "$scratch/file" "$3"
  rm -r "$scratch"
}

# image_podman ARGUMENT...: podman with a storage of its own in the cache, without a daemon, for
# root in a container too (no systemd, no raised limits).
image_podman() {
  local storage
  storage=$(cache_directory)/images
  podman --root "$storage/storage" --runroot "$storage/run" --tmpdir "$storage/tmp" \
    --runtime runc --cgroup-manager cgroupfs --events-backend file "$@"
}

# image_build ARGUMENT...: `podman build` with the host's network.
image_build() { image_podman build --isolation chroot --network host "$@"; }
