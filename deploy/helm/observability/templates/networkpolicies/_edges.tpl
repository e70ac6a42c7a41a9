{{/* (list . "agent" "grafana"): the pods of these components, as one peer. */}}
{{- define "observability.peer" -}}
{{- $root := first . -}}
podSelector:
  matchLabels:
    app.kubernetes.io/name: {{ $root.Chart.Name }}
    app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
  matchExpressions:
    - {key: app.kubernetes.io/component, operator: In, values: {{ rest . | toJson }}}
{{- end }}

{{/* (dict "root" . "component" "loki" "from" (dict "3100" (list "gateway")) "to" (dict ...)): the policy
     of a component; by port, who may come in, and where it may go. */}}
{{- define "observability.edges" -}}
{{- $root := .root -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "observability.metadata" (list .root .component .component) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "observability.selector" (list .root .component) | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- with .from }}
  ingress:
    {{- range $port, $components := . }}
    - from:
        - {{ include "observability.peer" (concat (list $root) $components) | nindent 10 | trim }}
      ports: [{port: {{ $port }}}]
    {{- end }}
  {{- end }}
  {{- with .to }}
  egress:
    {{- range $port, $components := . }}
    - to:
        - {{ include "observability.peer" (concat (list $root) $components) | nindent 10 | trim }}
      ports: [{port: {{ $port }}}]
    {{- end }}
  {{- end }}
{{- end }}
