#!/usr/bin/env bash
# Gets the programs that check what is in deploy/, from Go modules, once, into the cache directory.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
offer_help "Usage: scripts/setup-kube.sh [chart|observe]
Gets, into \${MADANG_CACHE_DIR}/kube, what the tests of one part need:
  chart    helm, kubeconform, actionlint, promtool, and Kubernetes' own schemas for kubeconform
  observe  otelcol, loki, jaeger and prometheus, to run what the chart observability configures
A program that is on the PATH is used as it is, the others are built with Go; promtool comes out of
Debian's package.
Does nothing when that was done." "$@"

readonly helm=helm.sh/helm/v4/cmd/helm@v4.3.1
readonly kubeconform=github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
readonly actionlint=github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
readonly kubernetes=k8s.io/kubernetes@v1.35.4
readonly gateway_api=sigs.k8s.io/gateway-api@v1.4.0
readonly prometheus_operator=github.com/prometheus-operator/prometheus-operator@v0.85.0
readonly builder=go.opentelemetry.io/collector/cmd/builder@v0.165.0

kube=$(cache_directory)/kube
export GOBIN=$kube/bin CGO_ENABLED=0 GOFLAGS='-buildvcs=false -trimpath' GOTOOLCHAIN=local

go_version() { go version | sed -n 's/.* go1\.\([0-9]*\).*/\1/p'; }

need_go() {
  if ! has go || [[ $(go_version) -lt 26 ]]; then
    fail "missing: Go 1.26 or newer, which builds $1. Install Go, or put $1 on the PATH."
  fi
}

# program NAME PACKAGE@VERSION: on the PATH, or built into the cache.
program() {
  if has "$1" || { [[ -x $GOBIN/$1 ]] && up_to_date "$kube/$1.stamp" "$2"; }; then
    return
  fi
  need_go "$1"
  say "Building $1 into $GOBIN"
  go install -ldflags '-s -w' "$2"
  printf '%s\n' "$2" >"$kube/$1.stamp"
}

# module MODULE@VERSION: prints the directory of its source.
module() {
  go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'
}

schemas() {
  local stamp=$kube/schemas.stamp wanted
  local -a sources=("$kubernetes" "$gateway_api" "$prometheus_operator")
  wanted="${sources[*]} $(digest backend/tests/deploy/schemas.py)"
  if up_to_date "$stamp" "$wanted"; then
    return
  fi
  need_go "Kubernetes' schemas"
  say "Writing Kubernetes' schemas into $kube/schemas"
  rm -rf "$kube/schemas" "$stamp"
  cd "$root/backend"
  .venv/bin/python -m tests.deploy.schemas "$kube/schemas" \
    "$(module "$kubernetes")/api/openapi-spec/swagger.json" \
    "$(module "$gateway_api")"/config/crd/standard/*_httproutes.yaml \
    "$(module "$prometheus_operator")"/example/prometheus-operator-crd/*_prometheusrules.yaml
  printf '%s\n' "$wanted" >"$stamp"
}

# Out of the package, whose server is not wanted here; building it takes minutes.
rule_checker() {
  if has promtool || [[ -x $GOBIN/promtool ]]; then
    return
  fi
  say "Taking promtool out of Debian's prometheus into $GOBIN"
  apt_file prometheus usr/bin/promtool "$GOBIN/promtool"
  chmod 755 "$GOBIN/promtool"
}

chart() {
  rule_checker
  program helm "$helm"
  program kubeconform "$kubeconform"
  program actionlint "$actionlint"
  schemas
}

# build NAME DIRECTORY PACKAGE [ARGUMENT...]: from a module of ours in a directory, which is removed.
build() {
  (cd "$2" && go build -mod=mod -ldflags '-s -w' "${@:4}" -o "$GOBIN/$1" "$3")
  rm -rf "$2"
}

# wrapped NAME MODULE VERSION PACKAGE [ARGUMENT...]: as program, for a module whose go.mod replaces
# others, which `go install` refuses: its requirements and replacements become those of a module of
# our own.
wrapped() {
  local directory source
  if has "$1" || { [[ -x $GOBIN/$1 ]] && up_to_date "$kube/$1.stamp" "$2@$3 ${*:5}"; }; then
    return
  fi
  need_go "$1"
  say "Building $1 into $GOBIN"
  directory=$(mktemp -d)
  source=$(module "$2@$3")
  sed -e 's/^module .*/module wrapped/' -e '/=> \.\//d' "$source/go.mod" >"$directory/go.mod"
  printf '\nrequire %s %s\n' "$2" "$3" >>"$directory/go.mod"
  cat "$source/go.sum" >"$directory/go.sum"
  build "$1" "$directory" "$2/$4" "${@:5}"
  printf '%s\n' "$2@$3 ${*:5}" >"$kube/$1.stamp"
}

# Not from the PATH: which components a collector has is not said by its name.
collector() {
  local directory wanted
  wanted="$builder $(digest scripts/collector.yaml)"
  if [[ -x $GOBIN/otelcol ]] && up_to_date "$kube/otelcol.stamp" "$wanted"; then
    return
  fi
  need_go otelcol
  say "Building otelcol into $GOBIN"
  directory=$(mktemp -d)
  cp "$root/scripts/collector.yaml" "$directory"
  (cd "$directory" && go run "$builder" --config collector.yaml --skip-compilation)
  build otelcol "$directory/source" .
  rm -rf "$directory"
  printf '%s\n' "$wanted" >"$kube/otelcol.stamp"
}

observe() {
  collector
  wrapped loki github.com/grafana/loki/v3 v3.7.8 cmd/loki
  wrapped jaeger github.com/jaegertracing/jaeger v1.76.0 cmd/all-in-one
  # Without the discovery of targets in clouds, which is most of it: nothing is scraped.
  wrapped prometheus github.com/prometheus/prometheus v0.316.0 cmd/prometheus -tags remove_all_sd
}

mkdir -p "$GOBIN"
case ${1-chart} in
  chart) chart ;;
  observe) observe ;;
  *) fail "unknown part: $1 (see --help)" ;;
esac
