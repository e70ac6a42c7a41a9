{{/* What all resources begin with. 40 characters leave room for the longest ending and for what
     Kubernetes itself adds to the names of pods and revisions, within 63. */}}
{{- define "madang.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* (list . "api"): the labels that select the pods of one component. */}}
{{- define "madang.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* (list . "api"): the labels of the pods of Madang's own. The stores' pods have only those of the
     selector: a new version of Madang must not restart them. */}}
{{- define "madang.podLabels" -}}
{{ include "madang.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
{{- end }}

{{/* (list . "api"): all labels of a resource. */}}
{{- define "madang.labels" -}}
{{- $root := index . 0 -}}
{{ include "madang.podLabels" . }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* (list . "web" "web"): name and labels of a resource: component, and the name's ending. */}}
{{- define "madang.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "madang.fullname" $root }}-{{ index . 2 }}
namespace: {{ $root.Release.Namespace | quote }}
labels:
  {{- include "madang.labels" (list $root (index . 1)) | nindent 2 }}
{{- end }}

{{- define "madang.secretName" -}}
{{- .Values.secrets.existingSecret | default (printf "%s-secrets" (include "madang.fullname" .)) }}
{{- end }}

{{- define "madang.adminSecretName" -}}
{{- .Values.admin.existingSecret | default (printf "%s-admin" (include "madang.fullname" .)) }}
{{- end }}


{{/* (list . .Values.mariadb.image): a reference. What an image leaves out, Madang's own says. */}}
{{- define "madang.image" -}}
{{- $root := index . 0 -}}
{{- $own := $root.Values.image -}}
{{- $image := index . 1 -}}
{{- $registry := $image.registry | default $own.registry -}}
{{- $tag := $image.tag | default $own.tag | default $root.Chart.AppVersion -}}
image: {{ ternary (printf "%s/%s" $registry $image.repository) $image.repository (ne $registry "") }}:{{ $tag }}
imagePullPolicy: {{ $image.pullPolicy | default $own.pullPolicy }}
{{- end }}

{{/* A size as Kubernetes writes it, in MiB. */}}
{{- define "madang.mib" -}}
{{- $units := dict "" 1 "m" 1e-3 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 "Ei" 1152921504606846976 -}}
{{- $number := regexFind "^[0-9.]+([eE][0-9]+)?" . -}}
{{- printf "%.0f" (divf (mulf $number (get $units (trimPrefix $number .))) 1048576) }}
{{- end }}

{{/* Where a browser finds the board, without the scheme. */}}
{{- define "madang.host" -}}
{{- (urlParse .Values.publicUrl).host | splitList ":" | first }}
{{- end }}

