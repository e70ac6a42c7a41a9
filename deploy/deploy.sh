#!/usr/bin/env bash
# Installs Madang on the cluster that kubectl points at, or upgrades it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly usage='Usage: deploy/deploy.sh [OPTION...]
Installs Madang on the cluster of kubectl'\''s current context, or upgrades what is there. It looks
first at all that could be in the way, then installs, says what comes up, and waits until the board
answers. Safe to run again, also after Ctrl+C.

  --namespace NAMESPACE  where [madang]; made when it is not there, with Pod Security "restricted"
  --profile PROFILE      small, standard or aks [small]; deploy/helm/madang/README.md says what for
  --values FILE          values of your own, over those of the profile; may be given again
  --observability        collect logs, traces and metrics too: an OpenTelemetry Collector, Loki, Tempo,
                         Prometheus and Grafana, into the namespace "observability", which is
                         privileged, for one part reads the nodes'\'' log files
  --observability-values FILE
                         values for these; may be given again. Without it those of what is
                         installed stay, as for a board that joins
  --dry-run              change nothing; say what is in the way and what would change
  --yes                  do not ask

Give the same options each time. deploy/cleanup.sh removes it.'

chart=$deploy/helm/madang collection=$deploy/helm/observability level=restricted
profile=small collects=no
files=() collection_files=() beside=()

parse() {
  while [[ $# -gt 0 ]]; do
    case $1 in
      --namespace) namespace=${2:?--namespace needs a value} && shift ;;
      --profile) profile=${2:?--profile needs a value} && shift ;;
      --values) files+=("${2:?--values needs a file}") && shift ;;
      --observability) collects=yes ;;
      --observability-values) collection_files+=("${2:?--observability-values needs a file}") && shift ;;
      --dry-run) dry_run=yes ;;
      --yes) yes=yes ;;
      -h | --help)
        printf '%s\n' "$usage"
        exit 0
        ;;
      *) fail "unknown option: $1 (see --help)" ;;
    esac
    shift
  done
}

check_arguments() {
  local file
  check_namespace_name
  [[ $collects == no || $namespace != observability ]] ||
    fail "--namespace observability is where --observability goes; choose another one for Madang"
  [[ -f $chart/profiles/$profile.yaml ]] ||
    fail "--profile must be one of $(profiles), not '$profile'"
  [[ $collects == yes || ${#collection_files[@]} -eq 0 ]] ||
    fail "--observability-values goes with --observability"
  for file in "${files[@]}" "${collection_files[@]}"; do
    [[ -r $file ]] || fail "$file: there is no such file, or it cannot be read"
  done
}

profiles() { basename -s .yaml "$chart"/profiles/*.yaml | paste -sd ' ' -; }

# rollout WHAT ARGUMENT...: one of the programs in deploy/rollout.
rollout() {
  PYTHONPATH=$deploy PYTHONDONTWRITEBYTECODE=1 \
    python3 -m "rollout.$1" "${@:2}" --namespace "$namespace" --release "$release"
}

# each COMMAND...: for what collects, where it is wanted, and for Madang.
each() {
  [[ $collects == no ]] || collecting of_collection "$@"
  "$@"
}

of_collection() {
  local chart=$collection level=privileged file
  local -a values=() beside=()
  for file in "${collection_files[@]}"; do values+=(--values "$file"); done
  "$@"
}

# The values that the two charts have to agree on, where both are installed.
write_values() {
  local file all installed
  [[ $collects == yes ]] || return 0
  installed=$(collection_values) || [[ $? == "$unseen" ]]
  all=$(collected "$installed")
  all=$(besides_this "$all" && printf '%s' "$namespace")
  scratch=$(mktemp -d)
  trap 'rm -r "$scratch"' EXIT
  printf 'namespaces: %s\n' "$(json "$all")" >"$scratch/collection.yaml"
  printf 'telemetry: {otlpEndpoint: "http://observability-gateway.observability:4318"}\n' \
    >"$scratch/madang.yaml"
  values+=(--values "$scratch/madang.yaml")
  if [[ -n $installed && ${#collection_files[@]} -eq 0 ]]; then
    printf '%s\n' "$installed" >"$scratch/installed.json"
    collection_files=("$scratch/installed.json" "$scratch/collection.yaml")
  else
    collection_files=("$scratch/collection.yaml" "${collection_files[@]}")
  fi
  beside=(--beside "observability=$collection")
  for file in "${collection_files[@]}"; do beside+=(--beside-values "$file"); done
}

preflight() { rollout preflight "$1" --chart "$chart" "${values[@]}" "${beside[@]}"; }

make_namespace() {
  local enforced
  if ! has_namespace; then
    say "Making the namespace $namespace"
    kubectl create --filename=- >/dev/null <<END
apiVersion: v1
kind: Namespace
metadata:
  name: "$namespace"
  labels: {pod-security.kubernetes.io/enforce: $level}
  annotations: {$made_by: deploy.sh}
END
    return
  fi
  enforced=$(kubectl get namespace "$namespace" --output=jsonpath='{.metadata.labels.pod-security\.kubernetes\.io/enforce}') || return 0
  if [[ $level == privileged ]]; then
    [[ $enforced != restricted && $enforced != baseline ]] ||
      fail "the namespace $namespace enforces \"$enforced\", which keeps out what reads the nodes' log files
  mend: kubectl label --overwrite namespace $namespace pod-security.kubernetes.io/enforce=privileged"
  elif [[ $enforced != restricted ]]; then
    say "The namespace $namespace is there and stays as it is. All of Madang's pods keep to
    \"restricted\"; to have the cluster enforce that:
    kubectl label --overwrite namespace $namespace pod-security.kubernetes.io/enforce=restricted"
  fi
}

# What another has set, as by kubectl scale, goes back to what the values say, as the dry run told.
# Helm 3 does that unasked.
install() {
  local -a force=(--force-conflicts)
  [[ $(helm version --template '{{.Version}}') != v3* ]] || force=()
  say "Installing the release $release"
  rollout jobs
  helm upgrade --install "$release" "$chart" --namespace "$namespace" "${force[@]}" "${values[@]}" >/dev/null ||
    fail "helm could not install it; above is why. $again"
}

wait_until_up() {
  say "Waiting until all of the release $release is up"
  rollout watch || fail "it did not come up. $again"
}

report() {
  printf '\n'
  [[ $collects == no ]] || collecting helm_notes | sed -n '/^Grafana/,$p'
  helm_notes | sed -n '/^The board:/,$p'
}

helm_notes() { helm get notes "$release" --namespace "$namespace"; }

stopped() {
  printf '\n' >&2
  printf 'stopped. %s\n' "$again" >&2
  exit 130
}

parse "$@"
check_arguments
readonly again="Nothing is lost: run the same command again to go on; deploy/cleanup.sh removes it."
need_tools helm kubectl python3
reach
values=(--values "$chart/profiles/$profile.yaml")
write_values
for file in "${files[@]}"; do values+=(--values "$file"); done

if [[ $dry_run == yes ]]; then
  say "What the profile $profile would change in the namespace $namespace"
  each preflight plan
  say "Nothing was changed. Not checked: whether the nodes can pull the images, which takes a pod"
  exit
fi
confirm "Install the profile $profile into the namespace $namespace of this cluster?" yes
trap stopped INT TERM
say "Looking at what could be in the way"
each preflight look
each make_namespace
say "Looking whether the nodes have the images or can pull them"
each preflight pull
each install
each wait_until_up
report
