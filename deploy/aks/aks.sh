#!/usr/bin/env bash
# Makes, shows and removes all that Madang needs in Azure. Safe to run again.
set -euo pipefail

usage='Usage: deploy/aks/aks.sh COMMAND [OPTION...]

Commands
  up         make the resource group, the registry and the cluster, and point kubectl at it
  https      a public address with a certificate for one host (cert-manager and a gateway)
  status     what there is, and where
  down       remove the resource group with everything in it, the data too

Options
  --name NAME               of the resource group and the cluster [madang]
  --location REGION         [koreacentral]
  --what-if                 up: only say what would change
  --github OWNER/REPO       up: let the release workflow of this repository push images; asks gh how
                            GitHub names it in its tokens. Or that itself: repo:OWNER@ID/REPO@ID
  --node-size SIZE          up: [Standard_D2as_v5]
  --event-hubs              up: Event Hubs beside the cluster, for Kafka
  --managed-redis           up: Azure Managed Redis beside the cluster
  --cluster-logs            up: the log of the API server in Log Analytics
  --host HOST --email MAIL  https: the name of the board, and who hears of expiring certificates
  --namespace NAMESPACE     https: where the board is installed [madang]
  --yes                     down: do not ask

What it costs stands in docs/aks.md. Give up the same options each time; what one of them made stays
until down removes everything.'

here=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here cert_manager=v1.19.1 envoy_gateway=v1.8.2
source "$here/../lib.sh"

# need TOOL HOW: says what is missing and how to get it.
need() { type -P "$1" >/dev/null || fail "missing: $1. $2"; }

need_azure() {
  need az "Install the Azure CLI: https://aka.ms/azure-cli"
  az account show --output none 2>/dev/null || fail "not signed in to Azure. Run: az login"
  say "Subscription: $(az account show --query name --output tsv)"
}

output() {
  az deployment sub show --name "$name" --query "properties.outputs.$1.value" --output tsv
}

# subject_prefix: how the subject of the repository's tokens begins, which Azure compares letter by
# letter. Repositories made, renamed or moved since July 2026 have ids in it.
subject_prefix() {
  local said default prefix
  if [[ $github == *:* ]]; then
    printf '%s\n' "$github"
    return
  fi
  need gh "Install it (https://cli.github.com), or say --github repo:OWNER@ID/REPO@ID"
  said=$(gh api "repos/$github/actions/oidc/customization/sub" \
    --jq '[.use_default, .sub_claim_prefix // ""] | join(" ")') ||
    fail "GitHub does not say how it names $github; above is why. Or say --github repo:OWNER@ID/REPO@ID"
  read -r default prefix <<<"$said"
  [[ $default != false ]] ||
    fail "$github has subjects of its own in its tokens; give --github all that stands before :environment:release"
  [[ -n $prefix ]] || prefix=$(gh api "repos/$github" --jq '"repo:" + .full_name') ||
    fail "GitHub does not say how $github is written; above is why"
  printf '%s\n' "$prefix"
}

# up: the templates say what; this says which.
up() {
  local prefix
  need_azure
  if [[ -n $github ]]; then
    prefix=$(subject_prefix)
    parameters+=("githubSubjectPrefix=$prefix")
  fi
  local -a given=(--name "$name" --location "$location" --template-file "$here/main.bicep"
    --parameters "name=$name" "location=$location" "${parameters[@]}")
  if [[ $what_if == yes ]]; then
    az deployment sub what-if "${given[@]}"
    return
  fi
  need kubectl "Run: az aks install-cli"
  register
  say "Making $name in $location; the cluster takes 5 to 10 minutes"
  az deployment sub create "${given[@]}" --output none
  az aks get-credentials --resource-group "$name" --name "$name" --overwrite-existing
  status
  say "Next: push the images (release workflow, or docker buildx as docs/aks.md says), then
    deploy/deploy.sh --namespace $namespace --profile aks --values FILE
  with image.registry: $(output registryServer) in FILE"
}

# A subscription that never had a cluster does not know these yet.
register() {
  local provider
  for provider in ContainerService ContainerRegistry ManagedIdentity EventHub Cache Insights OperationalInsights; do
    az provider register --namespace "Microsoft.$provider" --wait --output none
  done
}

https() {
  need_azure
  need kubectl "Run: az aks install-cli"
  need helm "Install it: https://helm.sh"
  need envsubst "Install gettext"
  [[ -n $host && -n $email ]] || fail "https needs --host and --email"
  az aks get-credentials --resource-group "$name" --name "$name" --overwrite-existing
  keep_to "$name"
  say "Installing Envoy Gateway $envoy_gateway"
  helm upgrade --install envoy-gateway oci://docker.io/envoyproxy/gateway-helm \
    --version "$envoy_gateway" --namespace envoy-gateway-system --create-namespace --wait
  say "Installing cert-manager $cert_manager"
  helm upgrade --install cert-manager oci://quay.io/jetstack/charts/cert-manager \
    --version "$cert_manager" --namespace cert-manager --create-namespace --wait \
    --set crds.enabled=true --set config.apiVersion=controller.config.cert-manager.io/v1alpha1 \
    --set config.kind=ControllerConfiguration --set config.enableGatewayAPI=true
  # shellcheck disable=SC2016  # envsubst wants the names, not the values
  MADANG_HOST=$host MADANG_EMAIL=$email MADANG_NAMESPACE=$namespace \
    envsubst '$MADANG_HOST $MADANG_EMAIL $MADANG_NAMESPACE' <"$here/gateway.yaml" |
    kubectl apply --filename -
  # Not until the name leads here can the certificate be made, so only the address is waited for.
  say "Waiting for the public address"
  kubectl wait gateway/public --namespace gateways --timeout=300s \
    --for=jsonpath='{.status.addresses[0].value}'
  say "Let $host lead to $(kubectl get gateway public --namespace gateways \
    --output jsonpath='{.status.addresses[0].value}'), then the certificate comes within minutes.
  In the values of the board:
    publicUrl: https://$host
    web:
      service: {type: ClusterIP}
      httpRoute:
        enabled: true
        parentRefs: [{name: public, namespace: gateways, sectionName: https}]"
}

status() {
  need_azure
  if ! has_group; then
    say "There is no resource group $name"
    return
  fi
  az resource list --resource-group "$name" --query '[].{name:name, type:type}' --output table
  say "Cluster: $(az aks show --resource-group "$name" --name "$name" \
    --query '[provisioningState, powerState.code, currentKubernetesVersion]' --output tsv | tr '\n' ' ')"
  say "Registry: $(output registryServer)"
  say "Variables for the release workflow: ACR_NAME=$(output registryName) AZURE_CLIENT_ID=$(output publisherClientId)"
  say "  AZURE_TENANT_ID=$(output tenantId) AZURE_SUBSCRIPTION_ID=$(az account show --query id --output tsv)"
}

has_group() {
  local found
  found=$(az group exists --name "$name") ||
    fail "Azure does not say whether there is a resource group $name; above is why"
  [[ $found == true ]]
}

confirm_removal() {
  local answer
  [[ $yes != yes ]] || return 0
  [[ -t 0 ]] || fail "this removes the resource group $name and all data in it; say --yes"
  read -rp "Remove the resource group $name and all data in it? Type its name: " answer
  [[ $answer == "$name" ]] || fail "nothing was removed"
}

remove_group() {
  local entry workspace
  az resource list --resource-group "$name" --query '[].{name:name, type:type}' --output table
  confirm_removal
  workspace=$(az resource list --resource-group "$name" \
    --resource-type Microsoft.OperationalInsights/workspaces --query '[].name' --output tsv)
  say "Removing the resource group $name; this takes some minutes"
  az group delete --name "$name" --yes
  for entry in "context $name" "cluster $name" "user clusterUser_${name}_$name"; do
    kubectl config "delete-${entry% *}" "${entry#* }" >/dev/null 2>&1 || true
  done
  [[ -z $workspace ]] ||
    say "Azure keeps the log workspace $workspace, out of sight, for 14 more days"
}

down() {
  need_azure
  ! has_group || remove_group
  if az deployment sub show --name "$name" --output none 2>/dev/null; then
    az deployment sub delete --name "$name"
  fi
  ! has_group || fail "the resource group $name is still there; run the same command again"
  say "Nothing of $name is left in the subscription"
}

name=madang location=koreacentral github='' host='' email='' what_if=no
parameters=()
command=${1---help}
[[ $# -eq 0 ]] || shift
while [[ $# -gt 0 ]]; do
  case $1 in
    --name) name=${2:?--name needs a value} && shift ;;
    --location) location=${2:?--location needs a value} && shift ;;
    --namespace) namespace=${2:?--namespace needs a value} && shift ;;
    --host) host=${2:?--host needs a value} && shift ;;
    --email) email=${2:?--email needs a value} && shift ;;
    --github) github=${2:?--github needs a value} && shift ;;
    --node-size) parameters+=("nodeSize=${2:?--node-size needs a value}") && shift ;;
    --event-hubs) parameters+=(eventHubs=true) ;;
    --managed-redis) parameters+=(managedRedis=true) ;;
    --cluster-logs) parameters+=(clusterLogs=true) ;;
    --what-if) what_if=yes ;;
    --yes) yes=yes ;;
    -h | --help) command=--help ;;
    *) fail "unknown option: $1 (see --help)" ;;
  esac
  shift
done

case $command in
  up | https | status | down) "$command" ;;
  -h | --help | help) printf '%s\n' "$usage" ;;
  *) fail "unknown command: $command (see --help)" ;;
esac
