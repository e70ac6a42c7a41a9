{{/* The broker's properties as the image takes them: KAFKA_ and the name in capitals, a dot as one
     underscore, an underscore as two, a dash as three. */}}
{{- define "madang.kafka.environment" -}}
{{- $kafka := .Values.kafka -}}
{{- $fullname := include "madang.fullname" . -}}
{{- $domain := printf "%s-kafka-nodes.%s.svc" $fullname .Release.Namespace -}}
{{- $voters := list -}}
{{- range $node := until (int $kafka.nodes) -}}
{{- $voters = append $voters (printf "%d@%s-kafka-%d.%s:9093" $node $fullname $node $domain) -}}
{{- end -}}
{{- $copies := min 3 (int $kafka.nodes) -}}
{{- $inSync := max 1 (sub $copies 1) -}}
{{- $properties := dict
  "process.roles" "broker,controller"
  "controller.quorum.voters" (join "," $voters)
  "listeners" "PLAINTEXT://:9092,CONTROLLER://:9093"
  "advertised.listeners" (printf "PLAINTEXT://$(POD_NAME).%s:9092" $domain)
  "controller.listener.names" "CONTROLLER"
  "listener.security.protocol.map" "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
  "inter.broker.listener.name" "PLAINTEXT"
  "log.dirs" "/var/lib/kafka/data/log"
  "auto.create.topics.enable" "false"
  "default.replication.factor" $copies
  "min.insync.replicas" $inSync
  "offsets.topic.replication.factor" $copies
  "offsets.topic.num.partitions" 3
  "transaction.state.log.replication.factor" $copies
  "transaction.state.log.min.isr" $inSync
  "transaction.state.log.num.partitions" 3
  "share.coordinator.state.topic.replication.factor" $copies
  "share.coordinator.state.topic.min.isr" $inSync
  "share.coordinator.state.topic.num.partitions" 3
  "log.retention.hours" $kafka.retention.hours
  "log.retention.bytes" (mul $kafka.retention.mibPerPartition 1048576)
  "log.segment.bytes" 67108864
-}}
# Node ids begin at 0, as the pods' numbers do.
- name: KAFKA_NODE_ID
  valueFrom:
    fieldRef: {fieldPath: "metadata.labels['apps.kubernetes.io/pod-index']"}
- name: POD_NAME
  valueFrom:
    fieldRef: {fieldPath: metadata.name}
{{ include "madang.env.secret" (list "CLUSTER_ID" "kafka-cluster-id" .) }}
- name: KAFKA_HEAP_OPTS
  value: -Xms{{ $kafka.heap }} -Xmx{{ $kafka.heap }}
# Its log of garbage collections would go to a file.
- name: EXTRA_ARGS
  value: -name kafkaServer
- name: LOG_DIR
  value: /tmp/logs
{{- range $property, $value := merge (dict) $kafka.settings $properties }}
- name: KAFKA_{{ $property | replace "_" "__" | replace "-" "___" | replace "." "_" | upper }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end }}
