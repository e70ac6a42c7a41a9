{{/* What all resources begin with. 40 characters leave room for the longest ending and for what
     Kubernetes itself adds to the names of pods and revisions, within 63. */}}
{{- define "observability.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* (list . "loki"): the labels that select the pods of one component. */}}
{{- define "observability.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* (list . "loki" "loki"): name and labels of a resource: component, and the name's ending. */}}
{{- define "observability.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "observability.fullname" $root }}-{{ index . 2 }}
namespace: {{ $root.Release.Namespace | quote }}
labels:
  {{- include "observability.selector" (list $root (index . 1)) | nindent 2 }}
  app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ $root.Release.Service }}
  helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "observability.grafanaSecret" -}}
{{- .Values.grafana.existingSecret | default (printf "%s-grafana" (include "observability.fullname" .)) }}
{{- end }}

{{- define "observability.image" -}}
image: {{ if .registry }}{{ .registry }}/{{ end }}{{ .repository }}:{{ .tag }}
imagePullPolicy: {{ .pullPolicy }}
{{- end }}

{{/* (list . "loki"): what Grafana asks, and (list . "loki" "otlp"): where the gateway sends. */}}
{{- define "observability.store.url" -}}
{{- $store := get (index . 0).Values (index . 1) -}}
{{- $ports := dict "loki" 3100 "tempo" 3200 "prometheus" 9090 -}}
{{- $inside := printf "http://%s-%s:%v" (include "observability.fullname" (index . 0)) (index . 1) (get $ports (index . 1)) -}}
{{- ternary $inside $store.external.url $store.enabled }}
{{- end }}

{{- define "observability.store.otlp" -}}
{{- $store := get (index . 0).Values (index . 1) -}}
{{- $paths := dict "loki" ":3100/otlp" "tempo" ":4318" "prometheus" ":9090/api/v1/otlp" -}}
{{- $inside := printf "http://%s-%s%s" (include "observability.fullname" (index . 0)) (index . 1) (get $paths (index . 1)) -}}
{{- ternary $inside $store.external.otlp $store.enabled }}
{{- end }}

{{/* The stores outside whose header Authorization comes from a Secret. */}}
{{- define "observability.authorized" -}}
{{- range list "loki" "tempo" "prometheus" }}
{{- $store := get $.Values . }}
{{- if and (not $store.enabled) $store.external.authorizationSecret.name }}
- {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* The variables with what those Secrets hold. */}}
{{- define "observability.authorizations" -}}
{{- range include "observability.authorized" . | fromYamlArray }}
- name: {{ upper . }}_AUTHORIZATION
  valueFrom:
    secretKeyRef:
      {{- toYaml (get $.Values .).external.authorizationSecret | nindent 6 }}
{{- end }}
{{- end }}
