#!/usr/bin/env bash
# Removes what deploy.sh installed; the data only when asked to.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly usage='Usage: deploy/cleanup.sh [OPTION...]
Removes what deploy/deploy.sh installed on the cluster of kubectl'\''s current context, and what collects
its logs, where deploy.sh made that, too, and no other board uses it. The volumes and the Secrets that
open them stay: deploy.sh finds the data again. Safe to run again.

  --namespace NAMESPACE  where [madang]
  --delete-data          remove volumes and Secrets too, and the namespace where deploy.sh made it
                         and nothing else is in it
  --dry-run              change nothing; say what would go and what would stay
  --yes                  do not ask'

readonly patience=180 again="Run the same command again to go on."
readonly data='^(persistentvolumeclaim|secret)/'
delete_data=no is_collected=no code=0

parse() {
  while [[ $# -gt 0 ]]; do
    case $1 in
      --namespace) namespace=${2:?--namespace needs a value} && shift ;;
      --delete-data) delete_data=yes ;;
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

# All kinds that can be in a namespace. Events go by themselves, and endpoints with their Service.
find_kinds() {
  local all
  all=$(kubectl api-resources --namespaced --verbs=list,delete --output=name) ||
    say "Some kinds could not be asked for, as told above; what is left of them is not seen"
  kinds=$(grep -vE '^(events|endpoints)(\.|$)' <<<"$all" | paste -sd , -)
}

# there OPTION...: names of what there is. Kinds that one may not see, one did not make either.
there() {
  in_namespace get "$kinds" --ignore-not-found --output=name "$@" 2>"$errors" ||
    { [[ -s $errors ]] && ! grep -qv Forbidden "$errors"; } || fail "$(<"$errors")"
}

find_parts() {
  local all
  all=$(there --selector="$owned_by")
  filtered "$all" -vE "$data|^$"
}

find_data() {
  local all
  all=$(there --selector="$owned_by")
  filtered "$all" -E "$data"
}

# Helm's own records, which are there for a release that was cut off, too.
find_release() {
  in_namespace get secrets --selector="owner=helm,name=$release" --output=name
}

# What others have in the namespace; Kubernetes itself puts two things there.
find_others() {
  local all
  all=$(there --selector="app.kubernetes.io/instance!=$release,owner!=helm")
  filtered "$all" -vx -e configmap/kube-root-ca.crt -e serviceaccount/default -e '^$'
}

# The volumes behind claims that are gone, which are in no namespace, with what happens to them.
find_volumes() {
  local all
  all=$(kubectl get persistentvolumes --no-headers --output=custom-columns=:.metadata.name,\
:.spec.persistentVolumeReclaimPolicy,:.spec.claimRef.namespace,:.spec.claimRef.name,:.status.phase) || {
    say "Whether volumes are left could not be seen, as told above" >&2
    return 0
  }
  awk -v here="$namespace" \
    '$3 == here && $5 != "Bound" && $4 ~ /^(data|spool)-.*-(mariadb|kafka|api|loki|tempo|prometheus)-[0-9]+$/ { print $1, $2 }' <<<"$all"
}

made_namespace() {
  local by
  by=$(kubectl get namespace "$namespace" --ignore-not-found \
    --output=jsonpath="{.metadata.annotations.$made_by}" 2>/dev/null) || return 1
  [[ $by == deploy.sh ]]
}

# listed TITLE LINES: the lines below a title, when there are any.
listed() { [[ -z $2 ]] || say "$1"$'\n'"    ${2//$'\n'/$'\n'    }"; }

# until_gone COMMAND: deletes what the command finds, until it finds nothing.
until_gone() {
  local names end=$((SECONDS + patience))
  while true; do
    names=$("$1")
    [[ -n $names ]] || return 0
    ((SECONDS < end)) || fail "still there after $patience s: $(tr '\n' ' ' <<<"$names")
  mend: see what holds it: kubectl --namespace $namespace describe $(head -n 1 <<<"$names"). $again"
    # shellcheck disable=SC2086  # several names
    in_namespace delete --ignore-not-found --wait=false $names >/dev/null
    sleep 1
  done
}

# Each of the two releases is called as its chart.
check_chart() {
  local chart
  chart=$(helm get metadata "$release" --namespace "$namespace" --output json)
  chart=$(sed -n 's/.*"chart": *"\([^"]*\)".*/\1/p' <<<"$chart")
  [[ -z $chart || $chart == "$release" ]] ||
    fail "the release $release in the namespace $namespace is of the chart $chart, which is not Madang's"
}

remove_parts() {
  if [[ -n $(find_release) ]]; then
    say "Uninstalling the release $release"
    helm uninstall "$release" --namespace "$namespace" >/dev/null ||
      fail "helm could not uninstall it; above is why. $again"
  fi
  say "Removing what is left of it, until its last pod is gone"
  until_gone find_parts
}

remove_data() {
  say "Removing volumes and Secrets"
  until_gone find_data
  remove_namespace
}

remove_namespace() {
  local others
  made_namespace || return 0
  others=$(find_others)
  if [[ -n $others ]]; then
    listed "The namespace $namespace stays, for there are other things in it:" "$others"
    return
  fi
  say "Removing the namespace $namespace"
  kubectl delete namespace "$namespace" --timeout "${patience}s" >/dev/null
}

# Whether volumes go with their claims is settled by their storage class.
wait_for_volumes() {
  local left end=$((SECONDS + patience))
  while true; do
    left=$(find_volumes)
    [[ -n $left ]] || return 0
    if ((SECONDS >= end)) || ! grep -qv ' Retain$' <<<"$left"; then
      say "These volumes are left, kept by their storage class or not removed in time:
$left
  mend: kubectl delete persistentvolumes $(cut -d' ' -f1 <<<"$left" | tr '\n' ' ')" >&2
      code=1
      return
    fi
    sleep 1
  done
}

# The last look: at everything, whatever was said before.
show_what_is_left() {
  local left
  if ! has_namespace; then
    say "Nothing is left: there is no namespace $namespace"
    return
  fi
  left=$(find_data)
  if [[ -z $left ]]; then
    say "Nothing of the release $release is left in the namespace $namespace"
    return
  fi
  listed "Left in the namespace $namespace, for the next deploy.sh:" "$left"
  say "To remove these too: deploy/cleanup.sh --namespace $namespace --delete-data"
}

show_plan() {
  listed "Would be removed:" "$parts"
  if [[ $delete_data == yes ]]; then
    listed "Would be removed, with all data in it:" "$kept"
    ! made_namespace || say "Would be removed, if nothing else is in it: namespace/$namespace"
  else
    listed "Would stay:" "$kept"
  fi
  say "Nothing was changed"
}

# What collects the logs of this namespace, too, is there for others, or somebody else's.
leave_collection() {
  if [[ -z $others ]]; then
    say "What collects logs stays, for deploy.sh did not make its namespace:
    helm uninstall observability --namespace observability"
    return
  fi
  say "What collects logs, traces and metrics stays: it serves ${others//$'\n'/, }, too"
  [[ $dry_run == no ]] || return 0
  helm upgrade observability "$deploy/helm/observability" --namespace observability \
    --reset-then-reuse-values --set-json "namespaces=$(json "$others")" >/dev/null ||
    fail "helm could not take $namespace from the namespaces that are collected; above is why. $again"
}

stopped() {
  printf '\nstopped. %s\n' "$again" >&2
  exit 130
}

clean() {
  local kinds='' parts='' kept=''
  if has_namespace; then
    [[ -z $(find_release) ]] || check_chart
    find_kinds
    parts=$(find_release && find_parts)
    kept=$(find_data)
  fi
  if [[ $dry_run == yes ]]; then
    show_plan
    return
  fi
  if [[ -n $parts ]]; then
    confirm "Remove the release $release from the namespace $namespace of this cluster?" yes
    remove_parts
  fi
  if [[ $delete_data == yes ]]; then
    if [[ -n $kept ]]; then
      listed "All data is in these:" "$kept"
      confirm "Remove them for good? Type the name of the namespace." "$namespace"
    fi
    ! has_namespace || remove_data
    wait_for_volumes
  fi
  show_what_is_left
}

parse "$@"
check_namespace_name
need_tools helm kubectl
reach
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
trap stopped INT TERM
collection=seen
values=$(collection_values) || {
  [[ $? == "$unseen" ]] || exit 1
  collection=unseen
}
served=$(collected "$values")
others=$(besides_this "$served")
if [[ $collection == seen && -z $others ]] && collecting made_namespace; then
  collecting clean
  [[ $delete_data == no || $dry_run == yes ]] ||
    say "On each node is left where its log was read up to, some kilobytes: /var/lib/madang-observability"
elif grep -qx "$namespace" <<<"$served"; then
  is_collected=yes
fi
clean
[[ $is_collected == no ]] || leave_collection
[[ $code == 0 ]]
