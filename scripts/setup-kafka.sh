#!/usr/bin/env bash
# Resolves Kafka's jars through Maven, once, into the cache directory.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
offer_help "Usage: scripts/setup-kafka.sh
Resolves Kafka (scripts/kafka.pom.xml) from Maven Central into \${MADANG_CACHE_DIR}/kafka/lib.
Does nothing when that was done for the same pom." "$@"

pom=scripts/kafka.pom.xml
target=$(cache_directory)/kafka
stamp=$target/lib.stamp
wanted=$(digest "$pom")
if up_to_date "$stamp" "$wanted"; then
  exit 0
fi

has mvn || fail "Maven is missing; scripts/setup-packages.sh installs it"
say "Resolving Kafka's jars into $target/lib"
mkdir -p "$target"
rm -rf "$target/lib.new" "$stamp"
said=$(mvn -B -q -Dstyle.color=never -f "$root/$pom" dependency:copy-dependencies \
  -DincludeScope=runtime -DoutputDirectory="$target/lib.new" \
  -Dmaven.repo.local="$target/repository" 2>&1) || fail "$said"
rm -rf "${target:?}/lib" "$target/repository"
mv "$target/lib.new" "$target/lib"
chmod -R a+rX "$target"
printf '%s\n' "$wanted" >"$stamp"
