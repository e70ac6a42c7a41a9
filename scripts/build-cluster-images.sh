#!/usr/bin/env bash
# Builds the images that a cluster of tests runs, as archives in the cache.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
offer_help "Usage: scripts/build-cluster-images.sh
Builds what has changed of: madang and madang-web, each also as the next version (TAG-next), which
has one more migration of the database; stand-ins for the official images of MariaDB,
Redis, Kafka and of what collects logs, traces and metrics, under the names in the charts' values
(backend/tests/services/kubernetes/README.md says in what they differ); and a shell under the name of
Debian's image, for the node itself.
Prints for each the reference and the path of its archive, for \`ctr images import\`. Needs root." "$@"

stand_ins=backend/tests/services/kubernetes/stand_ins
next=backend/tests/services/kubernetes/next_version
archives=$(cache_directory)/images/archives
kube=$(cache_directory)/kube
kept=4

"$root/scripts/setup-images.sh" >&2
"$root/scripts/setup-kafka.sh" >&2
mkdir -p "$archives"
exec 9>"$archives/lock"
flock 9
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bases=$(<"$(cache_directory)/images/bases.stamp")

short() { sha256sum | cut -c 1-12; }

# announce REFERENCE ARCHIVE: says where it is; of what is out of date a few stay.
announce() {
  printf '%s %s\n' "$1" "$2"
  touch "$2"
  find "$archives" -name "${2##*/}" -prune -o -name "${3}-????????????.tar" -printf '%T@ %p\n' |
    sort -rn | tail -n "+$kept" | cut -d' ' -f2- | xargs -r rm -f
}

own_sources() {
  git -C "$root" ls-files -z --cached --others --exclude-standard -- backend/src backend/pyproject.toml \
    'backend/requirements*.lock' frontend deploy/images scripts/build-images.sh .dockerignore "$next"
}

own() {
  local tag name
  tag=$(cd "$root" && {
    own_sources | xargs -0 sha256sum
    printf '%s\n' "$bases"
  } | short)
  if [[ ! -f $archives/madang-$tag.tar || ! -f $archives/madang-web-$tag.tar ]]; then
    build_own "$tag"
  fi
  for name in madang madang-web; do
    announce "docker.io/library/$name:$tag" "$archives/$name-$tag.tar" "$name"
  done
}

# build_own TAG: and TAG-next beside it, in the same archives.
build_own() {
  local tag=$1 name library=docker.io/library
  "$root/scripts/build-images.sh" --tag "$tag" >&2
  image_build --quiet --tag "$library/madang:$tag-next" \
    --build-arg "BASE_IMAGE=$library/madang:$tag" "$root/$next" >"$work/said" 2>&1 || fail "$(tail -n 40 "$work/said")"
  image_podman tag "$library/madang-web:$tag" "$library/madang-web:$tag-next"
  for name in madang madang-web; do
    image_podman save --quiet --multi-image-archive --format docker-archive --output "$work/$name.tar" \
      "$library/$name:$tag" "$library/$name:$tag-next" >/dev/null
    mv "$work/$name.tar" "$archives/$name-$tag.tar"
  done
}

# image_in_values CHART NAME: its reference, of the chart's values.
image_in_values() {
  local chart=$1 name=$2
  sed -n "/^$name:/,/^[a-z]/p" "$root/deploy/helm/$chart/values.yaml" |
    sed -n '/^  image:/,/^  [a-z]/s/^    \(registry\|repository\|tag\): *//p' |
    paste -sd' ' | sed 's#\(.*\) \(.*\) \(.*\)#\1/\2:\3#'
}

# archive NAME REFERENCE DIGEST BUILD-ARGUMENT...: an image of our own making, unless it is there.
archive() {
  local name=$1 reference=$2 file=$archives/$1-$3.tar
  shift 3
  if [[ ! -f $file ]]; then
    say "Building $reference, a stand-in" >&2
    image_build --quiet --tag "$reference" "$@" >"$work/said" 2>&1 || fail "$(tail -n 40 "$work/said")"
    image_podman save --quiet --format docker-archive --output "$work/image.tar" "$reference" >/dev/null
    mv "$work/image.tar" "$file"
  fi
  announce "$reference" "$file" "$name"
}

# stand_in NAME INPUT BUILD-ARGUMENT...: of the folder of this name; INPUT is what else it is made of.
stand_in() {
  local name=$1 input=$2 reference digest
  shift 2
  reference=$(image_in_values madang "$name")
  digest=$(printf '%s\n' "$reference" "$bases" "$(digest "$stand_ins/$name")" "$input" | short)
  archive "$name" "$reference" "$digest" "$@" "$root/$stand_ins/$name"
}

# program NAME REFERENCE: an image of one program that the cache has.
program() {
  local name=$1 reference=$2 digest
  digest=$(printf '%s\n' "$reference" "$(<"$kube/$name.stamp")" "$(digest "$stand_ins/program")" | short)
  archive "$name" "$reference" "$digest" --build-arg "PROGRAM=$name" \
    --build-context "programs=$kube/bin" "$root/$stand_ins/program"
}

# What changes most stands last, as the images' reader wants it. The programs may be being built
# meanwhile, so what needs none comes first.
own >"$work/own"
printf 'FROM localhost/madang-base/debian\nCMD ["sleep", "infinity"]\n' >"$work/Dockerfile"
archive shell docker.io/library/debian:bookworm-slim "$(short <<<"$bases")" --file "$work/Dockerfile" "$work"
stand_in mariadb ''
stand_in redis ''
stand_in kafka "$(<"$(cache_directory)/kafka/lib.stamp")" --build-context "jars=$(cache_directory)/kafka/lib"
"$root/scripts/setup-kube.sh" observe >&2
program otelcol "$(image_in_values observability collector)"
program loki "$(image_in_values observability loki)"
program prometheus "$(image_in_values observability prometheus)"
program jaeger "$(sed -n 's/^ *image: //p' "$root/backend/tests/cluster/jaeger/deployment.yaml")"
cat "$work/own"
