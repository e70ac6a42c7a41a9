// Event Hubs speaks Kafka from the tier Standard on. The hub is the topic.
param name string
param location string
param tags object

resource namespace 'Microsoft.EventHub/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: 'Standard'
    tier: 'Standard'
    capacity: 1
  }
  properties: {
    minimumTlsVersion: '1.2'
    kafkaEnabled: true
  }
}

resource topic 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = {
  parent: namespace
  name: 'api-logs'
  properties: {
    partitionCount: 3
    messageRetentionInDays: 7
  }
}

resource access 'Microsoft.EventHub/namespaces/eventhubs/authorizationRules@2024-01-01' = {
  parent: topic
  name: 'madang'
  properties: {
    rights: ['Send', 'Listen']
  }
}

output bootstrap string = '${namespace.name}.servicebus.windows.net:9093'
