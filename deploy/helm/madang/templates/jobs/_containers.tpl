{{/* What each one-shot runs. */}}

{{- define "madang.migrate.container" -}}
{{ include "madang.retried" . }}
args: [madang, migrate]
env:
  {{- include "madang.env.process" . | nindent 2 }}
  {{- include "madang.env.database" . | nindent 2 }}
{{- end }}

{{- define "madang.topics.container" -}}
{{ include "madang.retried" . }}
args: [madang, topics]
env:
  {{- include "madang.env.process" . | nindent 2 }}
  {{- include "madang.env.kafka" . | nindent 2 }}
  - name: MADANG_KAFKA_PARTITIONS
    value: {{ .Values.kafka.partitions | quote }}
  - name: MADANG_KAFKA_REPLICATION
    value: {{ ternary .Values.kafka.nodes .Values.kafka.external.replication .Values.kafka.enabled | quote }}
{{- end }}

{{- define "madang.admin.container" -}}
args: [user, add, $(USERNAME), --role=admin, --if-missing]
env:
  {{- include "madang.env.process" . | nindent 2 }}
  {{- include "madang.env.database" . | nindent 2 }}
  - name: USERNAME
    {{- if .Values.admin.existingSecret }}
    valueFrom:
      secretKeyRef: {name: {{ include "madang.adminSecretName" . | quote }}, key: username}
    {{- else }}
    value: {{ .Values.admin.username | quote }}
    {{- end }}
  - name: MADANG_USER_PASSWORD
    valueFrom:
      secretKeyRef: {name: {{ include "madang.adminSecretName" . | quote }}, key: password}
{{- end }}

{{- define "madang.prune.container" -}}
args: [prune, --keep={{ .Values.prune.keep }}]
env:
  {{- include "madang.env.process" . | nindent 2 }}
  {{- include "madang.env.database" . | nindent 2 }}
{{- end }}
