#!/usr/bin/env bash
# Builds both images from their Dockerfiles, on base images made here: no registry is asked.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
offer_help "Usage: scripts/build-images.sh [--tag TAG] [--output DIRECTORY]
Builds madang:TAG and madang-web:TAG (TAG is dev when left out) with podman, on the base images of
scripts/setup-images.sh. With --output it also writes madang.tar and madang-web.tar there, as
\`docker load\`, \`podman load\` and \`ctr images import\` read them. Packages come as this machine's
pip and npm are set up; none of that stays in the images." "$@"

tag=dev
output=
while [[ $# -gt 0 ]]; do
  case $1 in
    --tag) tag=${2:?--tag needs a value} ;;
    --output) output=${2:?--output needs a value} ;;
    *) fail "unknown argument: $1 (see --help)" ;;
  esac
  shift 2
done

"$root/scripts/setup-images.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The authorities that this machine trusts, for the time of the build.
authorities=/etc/ssl/certs/ca-certificates.crt
# pip's settings may stand in a file or in the environment; both are listed.
{
  printf '[global]\n'
  python3 -m pip config list |
    sed -nE "s/^(global|:env:)\.(index-url|extra-index-url|trusted-host|proxy|default-timeout)='(.*)'$/\2 = \3/p"
} >"$work/pip.conf"
{
  printf 'registry=%s\n' "$(npm config get registry)"
  printf 'cafile=%s\n' "$authorities"
} >"$work/npmrc"

# build NAME DIRECTORY ARGUMENT...
build() {
  local name=$1 directory=$2
  shift 2
  say "Building $name:$tag"
  image_build --quiet --volume "$authorities:$authorities:ro" \
    --file "$root/deploy/images/$directory/Dockerfile" "$@" \
    --label "org.opencontainers.image.version=$tag" \
    --label "org.opencontainers.image.revision=$(git -C "$root" rev-parse HEAD)" \
    --tag "docker.io/library/$name:$tag" "$root" >"$work/said" 2>&1 || fail "$(tail -n 40 "$work/said")"
  [[ -z $output ]] || image_podman save --quiet --format docker-archive \
    --output "$work/$name.tar" "docker.io/library/$name:$tag" >/dev/null
  [[ -z $output ]] || mv "$work/$name.tar" "$output/$name.tar"
}

[[ -z $output ]] || mkdir -p "$output"
build madang madang --build-arg BASE_IMAGE=localhost/madang-base/python \
  --secret "id=pip.conf,src=$work/pip.conf"
build madang-web web --build-arg NODE_IMAGE=localhost/madang-base/node \
  --build-arg NGINX_IMAGE=localhost/madang-base/nginx --secret "id=npmrc,src=$work/npmrc"
