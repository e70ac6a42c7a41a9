#!/usr/bin/env bash
# Gets the programs that check what is in deploy/, from Go modules, once, into the cache directory.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
offer_help "Usage: scripts/setup-kube.sh [chart]
Gets, into \${MADANG_CACHE_DIR}/kube, what the tests of one part need:
  chart   helm, kubeconform, actionlint, promtool, and Kubernetes' own schemas for kubeconform
A program that is on the PATH is used as it is, the others are built with Go; promtool comes out of
Debian's package.
Does nothing when that was done." "$@"

readonly helm=helm.sh/helm/v4/cmd/helm@v4.3.1
readonly kubeconform=github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
readonly actionlint=github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
readonly kubernetes=k8s.io/kubernetes@v1.35.4
readonly gateway_api=sigs.k8s.io/gateway-api@v1.4.0
readonly prometheus_operator=github.com/prometheus-operator/prometheus-operator@v0.85.0

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

mkdir -p "$GOBIN"
case ${1-chart} in
  chart) chart ;;
  *) fail "unknown part: $1 (see --help)" ;;
esac
