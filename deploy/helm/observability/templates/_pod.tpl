{{/* (list . uid): what the pods of all components but the agent have in common. */}}
{{- define "observability.pod" -}}
{{- $root := index . 0 -}}
{{- $uid := index . 1 | int -}}
{{- include "observability.account" $root }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ $uid }}
  runAsGroup: {{ $uid }}
  fsGroup: {{ $uid }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* No part asks Kubernetes anything, so none has a token. */}}
{{- define "observability.account" -}}
serviceAccountName: {{ include "observability.fullname" . }}-pods
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "observability.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* The path that says whether it is ready, on the port "http"; while it starts it may take long. */}}
{{- define "observability.probes" -}}
startupProbe:
  httpGet: {path: {{ . }}, port: http}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 90
readinessProbe:
  httpGet: {path: {{ . }}, port: http}
  periodSeconds: 5
  timeoutSeconds: 5
livenessProbe:
  tcpSocket: {port: http}
  periodSeconds: 10
  timeoutSeconds: 5
{{- end }}

{{/* The file of a component, so that its pods start again when it changes. */}}
{{- define "observability.configuration" -}}
annotations:
  madang/configuration: {{ . | sha256sum | trunc 8 | quote }}
{{- end }}

{{/* A StatefulSet's claim of {size, storageClass} under the name data. */}}
{{- define "observability.claim" -}}
- metadata:
    name: data
  spec:
    accessModes: [ReadWriteOnce]
    {{- with .storageClass }}
    storageClassName: {{ . | quote }}
    {{- end }}
    resources:
      requests:
        storage: {{ .size }}
{{- end }}
