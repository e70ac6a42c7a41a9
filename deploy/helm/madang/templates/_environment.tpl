{{/* Environment variables, each block a list of them. */}}

{{/* (list "DATABASE_PASSWORD" "mariadb-password" .): one value of the Secret. */}}
{{- define "madang.env.secret" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ include "madang.secretName" (index . 2) | quote }}
      key: {{ index . 1 }}
{{- end }}

{{/* (list "MADANG_DATABASE_URL" urlSecret): an address of a store outside. */}}
{{- define "madang.env.url" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      {{- toYaml (index . 1) | nindent 6 }}
{{- end }}

{{- define "madang.env.database" -}}
{{- if .Values.mariadb.enabled }}
{{- include "madang.env.secret" (list "DATABASE_PASSWORD" "mariadb-password" .) }}
- name: MADANG_DATABASE_URL
  value: mariadb://madang:$(DATABASE_PASSWORD)@{{ include "madang.fullname" . }}-mariadb:3306/madang
{{- else }}
{{- include "madang.env.url" (list "MADANG_DATABASE_URL" .Values.mariadb.external.urlSecret) }}
{{- end }}
{{- end }}

{{- define "madang.env.redis" -}}
{{- if .Values.redis.enabled }}
{{- include "madang.env.secret" (list "REDIS_PASSWORD" "redis-password" .) }}
- name: MADANG_REDIS_URL
  value: redis://:$(REDIS_PASSWORD)@{{ include "madang.fullname" . }}-redis:6379/0
{{- else }}
{{- include "madang.env.url" (list "MADANG_REDIS_URL" .Values.redis.external.urlSecret) }}
{{- end }}
{{- end }}

{{- define "madang.env.kafka" -}}
{{- $kafka := .Values.kafka -}}
- name: MADANG_KAFKA_BOOTSTRAP
  value: {{ ternary (printf "%s-kafka:9092" (include "madang.fullname" .)) $kafka.external.bootstrap $kafka.enabled | quote }}
- name: MADANG_KAFKA_TOPIC
  value: {{ $kafka.topic | quote }}
{{- if not $kafka.enabled }}
- name: MADANG_KAFKA_SECURITY_PROTOCOL
  value: {{ $kafka.external.securityProtocol }}
- name: MADANG_KAFKA_COMPRESSION
  value: {{ $kafka.external.compression }}
{{- if hasPrefix "SASL_" $kafka.external.securityProtocol }}
- name: MADANG_KAFKA_SASL_MECHANISM
  value: {{ $kafka.external.saslMechanism }}
{{- range list "username" "password" }}
- name: MADANG_KAFKA_SASL_{{ upper . }}
  valueFrom:
    secretKeyRef: {name: {{ $kafka.external.credentialsSecret | quote }}, key: {{ . }}}
{{- end }}
{{- end }}
{{- if $kafka.external.caSecret }}
- name: MADANG_KAFKA_SSL_CA
  value: /etc/madang/kafka-ca/ca.crt
{{- end }}
{{- end }}
{{- end }}

{{/* The authorities of the stores outside: MADANG_KAFKA_SSL_CA and the addresses name their files. */}}
{{- define "madang.authorities.mounts" -}}
{{- range list "mariadb" "redis" "kafka" }}
{{- $store := get $.Values . }}
{{- if and (not $store.enabled) $store.external.caSecret }}
- {name: {{ . }}-ca, mountPath: /etc/madang/{{ . }}-ca, readOnly: true}
{{- end }}
{{- end }}
{{- end }}

{{- define "madang.authorities.volumes" -}}
{{- range list "mariadb" "redis" "kafka" }}
{{- $store := get $.Values . }}
{{- if and (not $store.enabled) $store.external.caSecret }}
- name: {{ . }}-ca
  secret:
    secretName: {{ $store.external.caSecret | quote }}
    items: [{key: ca.crt, path: ca.crt}]
{{- end }}
{{- end }}
{{- end }}

{{/* For what serves browsers. */}}
{{- define "madang.env.browser" -}}
{{- include "madang.env.secret" (list "MADANG_SECRET_KEY" "secret-key" .) }}
- name: MADANG_SESSION_DAYS
  value: {{ .Values.sessionDays | quote }}
{{- with .Values.publicUrl }}
- name: MADANG_PUBLIC_URL
  value: {{ . | quote }}
{{- end }}
{{- end }}

{{/* For every process: its name in the call log, its log level, its telemetry. */}}
{{- define "madang.env.process" -}}
- name: MADANG_INSTANCE
  valueFrom:
    fieldRef: {fieldPath: metadata.name}
- name: MADANG_LOG_LEVEL
  value: {{ .Values.logLevel }}
- name: OTEL_LOGS_EXPORTER
  value: none
{{- with .Values.telemetry.otlpEndpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
- name: OTEL_TRACES_SAMPLER
  value: parentbased_traceidratio
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ $.Values.telemetry.sampling | quote }}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.namespace.name={{ $.Release.Namespace }},k8s.pod.name=$(MADANG_INSTANCE)
{{- end }}
{{- end }}
