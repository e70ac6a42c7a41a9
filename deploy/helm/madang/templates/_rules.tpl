{{/* What values.schema.json cannot say, because it takes several values, or a look at the cluster.
     All faults are told at once. */}}
{{- define "madang.rules" -}}
{{- $faults := concat
  (include "madang.rules.sizes" . | fromYamlArray)
  (include "madang.rules.topic" . | fromYamlArray)
  (include "madang.rules.memory" . | fromYamlArray)
  (include "madang.rules.stores" . | fromYamlArray)
  (include "madang.rules.addresses" . | fromYamlArray)
  (include "madang.rules.secrets" . | fromYamlArray) }}
{{- if $faults }}
{{- fail (printf "\n\n  %s\n" (join "\n  " $faults)) }}
{{- end }}
{{- end }}

{{- define "madang.rules.sizes" -}}
{{- $spool := .Values.spool }}
{{- if .Values.autoscaling.enabled }}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) }}
- autoscaling.minReplicas is above autoscaling.maxReplicas
{{- end }}
{{- end }}
{{- if $spool.persistence.enabled }}
{{- $pods := ternary .Values.autoscaling.minReplicas .Values.api.replicas .Values.autoscaling.enabled | int }}
{{- if lt $pods 2 }}
- {{ ternary "autoscaling.minReplicas" "api.replicas" .Values.autoscaling.enabled }} must be 2 or more with spool.persistence.enabled, for a pod with a volume is away while it is replaced
{{- end }}
{{- if le (include "madang.mib" $spool.persistence.size | int) (int $spool.maxMiB) }}
- spool.persistence.size ({{ $spool.persistence.size }}) must be above spool.maxMiB ({{ $spool.maxMiB }})
{{- end }}
{{- end }}
{{- end }}

{{/* Each node has a copy of all partitions, each of them a segment above its bound (docs/scaling.md). */}}
{{- define "madang.rules.topic" -}}
{{- $kafka := .Values.kafka }}
{{- $bound := $kafka.retention.mibPerPartition }}
{{- $needed := add (mul $kafka.partitions (add $bound 64)) 256 }}
{{- if and $kafka.enabled (lt (include "madang.mib" $kafka.persistence.size | int64) $needed) }}
- kafka.persistence.size ({{ $kafka.persistence.size }}) must be {{ $needed }}Mi or more, for kafka.partitions ({{ $kafka.partitions }}) take kafka.retention.mibPerPartition ({{ $bound }}) and 64 MiB each, and topics of Kafka's own 256 MiB
{{- end }}
{{- end }}

{{/* What a store takes beside what it is told to take: buffers, threads, code. */}}
{{- define "madang.rules.memory" -}}
{{- range $store, $told := dict "mariadb" (list "bufferPool" 128) "redis" (list "maxMemory" 32) "kafka" (list "heap" 128) }}
{{- $values := get $.Values $store }}
{{- $size := get $values (first $told) }}
{{- $needed := add (include "madang.mib" (printf "%si" ($size | trimSuffix "b" | upper)) | int64) (last $told) }}
{{- with (get $values.resources "limits" | default dict).memory }}
{{- if and $values.enabled (lt (include "madang.mib" . | int64) $needed) }}
- {{ $store }}.resources.limits.memory ({{ . }}) must be {{ $needed }}Mi or more with {{ $store }}.{{ first $told }} {{ $size }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "madang.rules.stores" -}}
{{- $kafka := .Values.kafka }}
{{- range list "mariadb" "redis" }}
{{- $store := get $.Values . }}
{{- if and (not $store.enabled) (not $store.external.urlSecret.name) }}
- {{ . }}.enabled is false, so {{ . }}.external.urlSecret.name must name a Secret with its address
{{- end }}
{{- end }}
{{- if not $kafka.enabled }}
{{- if not $kafka.external.bootstrap }}
- kafka.enabled is false, so kafka.external.bootstrap must name the brokers
{{- end }}
{{- $sasl := hasPrefix "SASL_" $kafka.external.securityProtocol }}
{{- if and $sasl (not $kafka.external.credentialsSecret) }}
- kafka.external.securityProtocol is {{ $kafka.external.securityProtocol }}, so kafka.external.credentialsSecret must name a Secret with username and password
{{- end }}
{{- if and (not $sasl) $kafka.external.credentialsSecret }}
- kafka.external.credentialsSecret is set, so kafka.external.securityProtocol must be SASL_PLAINTEXT or SASL_SSL
{{- end }}
{{- end }}
{{- $outside := list }}
{{- range list "mariadb" "redis" "kafka" }}
{{- if not (get $.Values .).enabled }}
{{- $outside = append $outside . }}
{{- end }}
{{- end }}
{{- if and $outside .Values.networkPolicy.enabled (not .Values.networkPolicy.egress) }}
- networkPolicy.egress must say where {{ join ", " $outside }} can be reached outside, or networkPolicy.enabled be false
{{- end }}
{{- end }}

{{- define "madang.rules.addresses" -}}
{{- $web := .Values.web }}
{{- range list "ingress" "httpRoute" }}
{{- if and (get $web .).enabled (not $.Values.publicUrl) }}
- web.{{ . }}.enabled needs publicUrl, whose host it serves
{{- end }}
{{- end }}
{{- if and $web.httpRoute.enabled (not $web.httpRoute.parentRefs) }}
- web.httpRoute.parentRefs must name a Gateway
{{- end }}
{{- if and $web.ingress.enabled $web.ingress.tlsSecret (not (hasPrefix "https://" .Values.publicUrl)) }}
- web.ingress.tlsSecret is set, so publicUrl must begin with https://
{{- end }}
{{- end }}
