{{/* (list . "api" "record"): the pods of these components, as one peer. */}}
{{- define "madang.peer" -}}
{{- $root := first . -}}
podSelector:
  matchLabels:
    app.kubernetes.io/name: {{ $root.Chart.Name }}
    app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
  matchExpressions:
    - {key: app.kubernetes.io/component, operator: In, values: {{ rest . | toJson }}}
{{- end }}

{{/* (dict "root" . "component" "api" "from" (dict "5000" (list "web")) "to" (dict ...)): the policy of
     a component; by port, who may come in, and where it may go. */}}
{{- define "madang.edges" -}}
{{- $root := .root -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "madang.metadata" (list .root .component .component) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "madang.selector" (list .root .component) | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- with .from }}
  ingress:
    {{- range $port, $components := . }}
    - from:
        - {{ include "madang.peer" (concat (list $root) $components) | nindent 10 | trim }}
      ports: [{port: {{ $port }}}]
    {{- end }}
  {{- end }}
  {{- with .to }}
  egress:
    {{- range $port, $components := . }}
    - to:
        - {{ include "madang.peer" (concat (list $root) $components) | nindent 10 | trim }}
      ports: [{port: {{ $port }}}]
    {{- end }}
  {{- end }}
{{- end }}
