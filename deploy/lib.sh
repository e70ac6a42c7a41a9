# shellcheck shell=bash
# shellcheck disable=SC2034  # what is set here is used there
# What deploy.sh, cleanup.sh and aks/aks.sh share. Sourced, not run.

if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
  printf 'error: this is Bash %s; it takes 4.4 or newer, first on the PATH\n  mend: on macOS: brew install bash\n' \
    "$BASH_VERSION" >&2
  exit 1
fi

# What fails inside of $(…) ends the script, too.
shopt -s inherit_errexit

deploy=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly deploy made_by=madang/made-by
release=madang namespace=madang owned_by=app.kubernetes.io/instance=madang
dry_run=no yes=no

say() { printf '==> %s\n' "$*"; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# need_tools TOOL...: names all that are missing at once.
need_tools() {
  local tool
  local -a missing=()
  for tool in "$@"; do
    case $tool in
      helm) helm_is_new || missing+=("Helm 3.14 or newer: https://helm.sh/docs/intro/install") ;;
      kubectl) type -P kubectl >/dev/null || missing+=("kubectl: https://kubernetes.io/docs/tasks/tools") ;;
      python3) python_is_new || missing+=("Python 3.11 or newer, as python3") ;;
    esac
  done
  [[ ${#missing[@]} -eq 0 ]] || fail "missing:$(printf '\n  %s' "${missing[@]}")"
}

helm_is_new() {
  local version
  version=$(helm version --template '{{.Version}}' 2>/dev/null) || return 1
  [[ $version =~ ^v([0-9]+)\.([0-9]+) ]] || return 1
  ((BASH_REMATCH[1] > 3 || (BASH_REMATCH[1] == 3 && BASH_REMATCH[2] >= 14)))
}

python_is_new() { python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

check_namespace_name() {
  [[ $namespace =~ ^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$ ]] ||
    fail "--namespace must be lower-case letters, digits and dashes, not '$namespace'"
}

# keep_to CONTEXT: kubectl and Helm, whatever becomes the current one. It is empty in a pod.
keep_to() {
  unset "${!HELM_KUBE@}"
  [[ -z $1 ]] || export HELM_KUBECONTEXT=$1
}

# kubectl has no variable for the context; rollout/kubectl.py does the same.
kubectl() { command kubectl ${HELM_KUBECONTEXT:+"--context=$HELM_KUBECONTEXT"} "$@"; }

# reach: says which cluster this is, or why it does not answer. From then on nothing goes to another.
reach() {
  local context said server cluster='the one that this pod runs in'
  context=$(command kubectl config current-context 2>/dev/null) || context=''
  keep_to "$context"
  said=$(kubectl get --raw /api --request-timeout=10s 2>&1 >/dev/null) ||
    fail "the cluster of kubectl's context '${context:-none}' does not answer: $(tail -n 1 <<<"$said")
  mend: start it, or choose another one: kubectl config get-contexts; kubectl config use-context NAME"
  if [[ -n $context ]]; then
    server=$(kubectl config view --minify --output=jsonpath='{.clusters[0].cluster.server}')
    cluster="context $context, $server"
  fi
  say "Cluster: $cluster"
}

# confirm QUESTION ANSWER: goes on when the answer is given, or with --yes.
confirm() {
  local answer=''
  [[ $yes != yes ]] || return 0
  [[ -t 0 ]] || fail "$1 There is no terminal to ask on; say --yes"
  read -rp "$1 [$2] " answer || true  # Ctrl+D is no answer
  [[ $answer == "$2" ]] || fail "nothing was changed"
}

# has_namespace: who may not look at namespaces has one given.
has_namespace() {
  local found
  found=$(kubectl get namespace "$namespace" --ignore-not-found --output=name 2>/dev/null) || return 0
  [[ -n $found ]]
}

# collecting COMMAND...: the same for the release that collects logs, traces and metrics.
collecting() {
  local release=observability namespace=observability
  local owned_by=app.kubernetes.io/instance=observability
  "$@"
}

# filtered LINES GREP_OPTION...: none is fine, an error is not.
filtered() { grep "${@:2}" <<<"$1" || [[ $? == 1 ]]; }

# collection_values: those that the installed release was given, as JSON; $unseen for who may not see
# it. Whatever else fails, it may be there.
readonly unseen=3
collection_values() {
  local said
  {
    said=$(helm get values observability --namespace observability --output json 2>&1 >&3)
  } 3>&1 || {
    [[ $said != *forbidden* ]] || return "$unseen"
    [[ $said == *'release: not found'* ]] ||
      fail "whether other boards use what collects logs cannot be seen: $said"
  }
}

# collected VALUES: the namespaces, one a line, that it collects from.
collected() {
  sed -n 's/.*"namespaces":\[\([^]]*\)\].*/\1/p' <<<"$1" | tr -d '"' | tr , '\n'
}

# besides_this LINES: without this namespace.
besides_this() { filtered "$1" -vx -e "$namespace" -e '^$'; }

# json LINES: a list of them.
json() {
  local between='","'
  printf '["%s"]' "${1//$'\n'/$between}"
}

in_namespace() { kubectl --namespace "$namespace" "$@"; }
