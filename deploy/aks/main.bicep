// All that Madang needs in Azure, in one resource group: a registry, a cluster that may pull from
// it, and, where asked for, trust for GitHub's release workflow and managed stores.
targetScope = 'subscription'

@description('Names the resource group, the cluster and what is around them.')
@minLength(3)
@maxLength(20)
param name string = 'madang'

param location string = 'koreacentral'

@description('How GitHub begins the subject of the repository\'s tokens (repo:OWNER/REPO, or with ids: repo:OWNER@1/REPO@2), whose environment `release` may push images; nobody when empty.')
param githubSubjectPrefix string = ''

@description('Size of the nodes: at least 2 cores and 8 GiB.')
param nodeSize string = 'Standard_D2as_v5'

@minValue(1)
param minimumNodes int = 2

@minValue(1)
param maximumNodes int = 4

@description('Standard has an uptime guarantee for the API server, and a price.')
@allowed(['Free', 'Standard'])
param clusterTier string = 'Free'

@description('Event Hubs instead of Kafka in the cluster.')
param eventHubs bool = false

@description('Azure Managed Redis instead of Redis in the cluster.')
param managedRedis bool = false

@description('The log of the cluster\'s own API server in Log Analytics.')
param clusterLogs bool = false

var tags = { application: 'madang' }
// Names of registries, namespaces and caches are unique in all of Azure.
var uniqueName = '${replace(toLower(name), '-', '')}${uniqueString(subscription().id, name, location)}'

resource group 'Microsoft.Resources/resourceGroups@2021-04-01' = {
  name: name
  location: location
  tags: tags
}

module registry 'modules/registry.bicep' = {
  name: 'registry'
  scope: group
  params: {
    name: uniqueName
    location: location
    tags: tags
  }
}

module cluster 'modules/cluster.bicep' = {
  name: 'cluster'
  scope: group
  params: {
    name: name
    location: location
    tags: tags
    registryName: registry.outputs.name
    nodeSize: nodeSize
    minimumNodes: minimumNodes
    maximumNodes: maximumNodes
    tier: clusterTier
    logs: clusterLogs
  }
}

module publisher 'modules/publisher.bicep' = if (!empty(githubSubjectPrefix)) {
  name: 'publisher'
  scope: group
  params: {
    name: '${name}-publisher'
    location: location
    tags: tags
    registryName: registry.outputs.name
    githubSubjectPrefix: githubSubjectPrefix
  }
}

module events 'modules/events.bicep' = if (eventHubs) {
  name: 'events'
  scope: group
  params: {
    name: uniqueName
    location: location
    tags: tags
  }
}

module redis 'modules/redis.bicep' = if (managedRedis) {
  name: 'redis'
  scope: group
  params: {
    name: uniqueName
    location: location
    tags: tags
  }
}

output resourceGroup string = group.name
output clusterName string = cluster.outputs.name
output registryName string = registry.outputs.name
output registryServer string = registry.outputs.server
output publisherClientId string = empty(githubSubjectPrefix) ? '' : publisher!.outputs.clientId
output tenantId string = tenant().tenantId
output eventHubsBootstrap string = eventHubs ? events!.outputs.bootstrap : ''
output redisHost string = managedRedis ? redis!.outputs.host : ''
