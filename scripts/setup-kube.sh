#!/usr/bin/env bash
# Gets the programs that check and run what is in deploy/, from Go modules, once, into the cache.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
offer_help "Usage: scripts/setup-kube.sh [chart|control|node|observe]...
Gets, into \${MADANG_CACHE_DIR}/kube, what the tests of these parts need (chart when none is named):
  chart    helm, kubeconform, actionlint, promtool, and Kubernetes' own schemas for kubeconform
  control  a control plane of Kubernetes, kubectl, and kwok for nodes on which nothing runs
  node     what a real node runs beside it, from Go modules and with apt
  observe  otelcol, loki, jaeger and prometheus, to run what the chart observability configures
Helm, kubectl and the programs that check are used from the PATH where they are there; promtool comes
out of Debian's package; all others are built with Go in the versions that the tests know. Does nothing when that was done." "$@"

readonly helm=helm.sh/helm/v4/cmd/helm@v4.3.1
readonly kubeconform=github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
readonly actionlint=github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
readonly kubernetes_version=1.35.4
readonly kubernetes=k8s.io/kubernetes@v$kubernetes_version
readonly etcd=go.etcd.io/etcd/server/v3@v3.6.5
readonly kwok=sigs.k8s.io/kwok@v0.8.0
readonly coredns=github.com/coredns/coredns@v1.15.0
readonly local_path_provisioner=github.com/rancher/local-path-provisioner@v0.0.30
readonly metrics_server=sigs.k8s.io/metrics-server/cmd/metrics-server@v0.9.0
# The fork with a version as Go modules want it.
readonly kube_router=github.com/k3s-io/kube-router/v2@v2.2.1
readonly loki=github.com/grafana/loki/v3@v3.7.8
readonly prometheus=github.com/prometheus/prometheus@v0.316.0
readonly jaeger=github.com/jaegertracing/jaeger@v1.76.0
readonly gateway_api=sigs.k8s.io/gateway-api@v1.4.0
readonly prometheus_operator=github.com/prometheus-operator/prometheus-operator@v0.85.0
readonly builder=go.opentelemetry.io/collector/cmd/builder@v0.165.0

kube=$(cache_directory)/kube
export GOBIN=$kube/bin CGO_ENABLED=0 GOTOOLCHAIN=local
# Tests wait for these to be compiled, and nobody debugs them: without what a debugger wants, without
# inlining, and with a compiler that collects no garbage while memory lasts, it is done much sooner.
export GOFLAGS="-buildvcs=false -trimpath '-gcflags=all=-dwarf=false -l'"
export GOGC=off GOMEMLIMIT=2GiB

go_version() { go version | sed -n 's/.* go1\.\([0-9]*\).*/\1/p'; }

need_go() {
  if ! has go || [[ $(go_version) -lt 26 ]]; then
    fail "missing: Go 1.26 or newer, which builds $1. Install Go, or put $1 on the PATH."
  fi
}

# program NAME PACKAGE@VERSION: on the PATH, or built into the cache.
program() { has "$1" || built "$1" "$2"; }

# is_built NAME INPUT: whether the cache has the program that was made of this.
is_built() { [[ -x $GOBIN/$1 ]] && up_to_date "$kube/$1.stamp" "$2"; }

announce() {
  need_go "$1"
  say "Building $1 into $GOBIN"
}

# built NAME PACKAGE@VERSION: in the cache.
built() {
  if is_built "$1" "$2"; then
    return
  fi
  announce "$1"
  go install -ldflags '-s -w' "$2"
  printf '%s\n' "$2" >"$kube/$1.stamp"
}

# wrapped NAME MODULE@VERSION PACKAGE [EDIT...]: the same for a module with replace lines, which
# `go install` refuses: it is built from a module of our own that has its go.mod, edited by sed.
# The variables `provides` (the module that it is required as) and `link` (link flags) may be set.
wrapped() {
  local name=$1 module=$2 package=$3 wrap=$kube/wrap input="$2 $3 ${link-}"
  shift 3
  if is_built "$name" "$input"; then
    return
  fi
  announce "$name"
  rm -rf "$wrap"
  mkdir "$wrap"
  sed -e 's#^module .*#module wrapped#' "$@" -e '/=> \.\.*\//d' "$(downloaded GoMod "$module")" >"$wrap/go.mod"
  cp "$(module "$module")/go.sum" "$wrap/go.sum"
  chmod u+w "$wrap/go.mod" "$wrap/go.sum"
  (
    cd "$wrap"
    go mod edit -require "${provides:-$module}"
    go build -mod=mod -ldflags "-s -w ${link-}" -o "$GOBIN/$name" "$package"
  ) 2>"$kube/said" || fail "$(tail -n 30 "$kube/said")"
  rm -rf "$wrap"
  printf '%s\n' "$input" >"$kube/$name.stamp"
}

# downloaded Dir|GoMod MODULE@VERSION: prints where that is.
downloaded() {
  go mod download -json "$2" | sed -n "s/^\t\"$1\": \"\(.*\)\",\$/\1/p"
}

# module MODULE@VERSION: prints the directory of its source.
module() { downloaded Dir "$1"; }

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

# kubernetes_program NAME: of Kubernetes itself, whose staging modules have versions of their own.
# Without the link flags it would call itself v0.0.0, and charts would refuse it.
kubernetes_program() {
  local version=k8s.io/component-base/version staging=v0.${kubernetes_version#*.} link
  link="-X $version.gitVersion=v$kubernetes_version -X $version.gitMajor=1"
  link+=" -X $version.gitMinor=${staging:3:2} -X $version.gitTreeState=clean"
  link=$link wrapped "$1" "$kubernetes" "k8s.io/kubernetes/cmd/$1" \
    -e "s#=> ./staging/src/\(.*\)#=> \1 $staging#"
}

control() {
  local name
  for name in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet; do
    kubernetes_program $name
  done
  has kubectl || kubernetes_program kubectl
  wrapped etcd "$etcd" "${etcd%@*}"
  built kwok "${kwok%@*}/cmd/kwok@${kwok#*@}"
  stages
}

# What kwok does to nodes and pods, of its own examples.
stages() {
  local stamp=$kube/kwok-stages.stamp directory file
  if up_to_date "$stamp" "$kwok"; then
    return
  fi
  directory=$(module "$kwok")/kustomize/stage
  for file in "$directory"/node/fast/node-initialize.yaml "$directory"/pod/fast/pod-*.yaml \
    "$directory"/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml; do
    printf -- '---\n'
    cat "$file"
  done >"$GOBIN/kwok-stages.yaml"
  printf '%s\n' "$kwok" >"$stamp"
}

node() {
  local -a missing=()
  has containerd || missing+=(containerd)
  has runc || missing+=(runc)
  has conntrack || missing+=(conntrack)
  has iptables || missing+=(iptables)
  has ipset || missing+=(ipset)
  has ip || missing+=(iproute2)
  [[ -x /usr/lib/cni/ptp ]] || missing+=(containernetworking-plugins)
  [[ ${#missing[@]} -eq 0 ]] || apt_install "${missing[@]}"
  built coredns "$coredns"
  built local-path-provisioner "$local_path_provisioner"
  built metrics-server "$metrics_server"
  provides=github.com/cloudnativelabs/kube-router/v2@${kube_router#*@} wrapped kube-router "$kube_router" \
    github.com/cloudnativelabs/kube-router/v2/cmd/kube-router \
    -e "\$a replace github.com/cloudnativelabs/kube-router/v2 => ${kube_router/@/ }"
}

# The collector with exactly the components of collector.yaml.
collector() {
  local input work=$kube/collector
  input="$builder $(digest scripts/collector.yaml)"
  if is_built otelcol "$input"; then
    return
  fi
  announce otelcol
  rm -rf "$work"
  mkdir "$work"
  cp "$root/scripts/collector.yaml" "$work"
  (
    cd "$work"
    go run "$builder" --config collector.yaml --skip-compilation
    cd source
    go build -mod=mod -ldflags '-s -w' -o "$GOBIN/otelcol" .
  ) 2>"$kube/said" || fail "$(tail -n 30 "$kube/said")"
  rm -rf "$work"
  printf '%s\n' "$input" >"$kube/otelcol.stamp"
}

observe() {
  collector
  wrapped loki "$loki" "${loki%@*}/cmd/loki"
  wrapped jaeger "$jaeger" "${jaeger%@*}/cmd/all-in-one"
  # Nothing is scraped, and the discovery of what to scrape is most of it.
  GOFLAGS="$GOFLAGS -tags=remove_all_sd" wrapped prometheus "$prometheus" "${prometheus%@*}/cmd/prometheus"
}

mkdir -p "$GOBIN"
exec 9>"$kube/lock"
flock 9
for part in "${@:-chart}"; do
  case $part in
    chart | control | node | observe) "$part" ;;
    *) fail "unknown part: $part (see --help)" ;;
  esac
done
