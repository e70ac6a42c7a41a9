// An identity for one repository's release workflow, that may only push. Every workflow that names
// the environment `release` can take it on: GitHub's rules for that environment say from where.
param name string
param location string
param tags object
param registryName string
param githubSubjectPrefix string

var acrPush = '8311e382-0749-4cb8-b61a-304f252e45ec'

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' existing = {
  name: registryName
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: name
  location: location
  tags: tags
}

resource trust 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = {
  parent: identity
  name: 'github-release'
  properties: {
    issuer: 'https://token.actions.githubusercontent.com'
    // Compared letter by letter.
    subject: '${githubSubjectPrefix}:environment:release'
    audiences: ['api://AzureADTokenExchange']
  }
}

resource push 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, identity.id, acrPush)
  scope: registry
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', acrPush)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

output clientId string = identity.properties.clientId
