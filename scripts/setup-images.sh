#!/usr/bin/env bash
# Makes base images out of Debian packages, once, so that images can be built without a registry.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
offer_help "Usage: scripts/setup-images.sh
Makes localhost/madang-base/{debian,python,nginx,node} in the cache directory's image storage:
debian by debootstrap, python and nginx from Debian's packages, node from this machine's. They
stand in for the official bases when scripts/build-images.sh builds the images. Needs root.
Does nothing when that was done by the same script for the same node." "$@"

base=localhost/madang-base
images=$(cache_directory)/images
stamp=$images/bases.stamp

[[ $EUID -eq 0 ]] || fail "base images are made by debootstrap, which needs root"
for tool in podman runc debootstrap node npm; do
  has "$tool" || fail "$tool is missing; scripts/setup-packages.sh installs it"
done
mkdir -p "$images"
exec 9>"$images/bases.lock"
flock 9
wanted="$(digest scripts/setup-images.sh) $(node --version)"
if up_to_date "$stamp" "$wanted" && image_podman image exists $base/node; then
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
said() { "$@" >"$work/said" 2>&1 || fail "$(tail -n 30 "$work/said")"; }

debian() {
  say "Making Debian's base system"
  said debootstrap --variant=minbase bookworm "$work/debian"
  rm -rf "$work"/debian/var/cache/apt/archives/*.deb "$work"/debian/var/lib/apt/lists/*
  tar -C "$work/debian" --numeric-owner -cf "$work/debian.tar" .
  said image_podman import "$work/debian.tar" $base/debian
}

# with_packages NAME PACKAGE...: a base image of Debian with these.
with_packages() {
  local name=$1
  shift
  say "Making the base image $base/$name"
  said image_build --tag "$base/$name" --file - "$work/empty" <<END
FROM $base/debian
RUN apt-get update -q && DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends $* && rm -rf /var/lib/apt/lists/*
END
}

node_of_this_machine() {
  say "Making the base image $base/node"
  mkdir "$work/node"
  cp -L "$(command -v node)" "$work/node/node"
  cp -r "$(npm root --global)/npm" "$work/node/npm"
  said image_build --tag $base/node --file - "$work/node" <<END
FROM $base/debian
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
END
}

rm -f "$stamp"
mkdir "$work/empty"
debian
with_packages python python3 python3-venv python3-pip ca-certificates
with_packages nginx nginx-light gettext-base
node_of_this_machine
printf '%s\n' "$wanted" >"$stamp"
