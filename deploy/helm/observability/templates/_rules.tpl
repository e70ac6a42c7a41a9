{{/* What values.schema.json cannot say, because it takes several values, or a look at the cluster.
     All faults are told at once. */}}
{{- define "observability.rules" -}}
{{- $faults := concat
  (include "observability.rules.stores" . | fromYamlArray)
  (include "observability.rules.secrets" . | fromYamlArray) }}
{{- if $faults }}
{{- fail (printf "\n\n  %s\n" (join "\n  " $faults)) }}
{{- end }}
{{- end }}

{{- define "observability.rules.stores" -}}
{{- $outside := list }}
{{- range list "loki" "tempo" "prometheus" }}
{{- $store := get $.Values . }}
{{- if $store.enabled }}
{{- if or $store.external.otlp $store.external.url }}
- {{ . }}.external is set, so {{ . }}.enabled must be false
{{- end }}
{{- else }}
{{- $outside = append $outside . }}
{{- if not $store.external.otlp }}
- {{ . }}.enabled is false, so {{ . }}.external.otlp must say where to send
{{- end }}
{{- if and $.Values.grafana.enabled (not $store.external.url) }}
- {{ . }}.enabled is false, so {{ . }}.external.url must say where Grafana asks, or grafana.enabled be false
{{- end }}
{{- end }}
{{- end }}
{{- if and $outside .Values.networkPolicy.enabled (not .Values.networkPolicy.egress) }}
- networkPolicy.egress must say where {{ join ", " $outside }} can be reached outside, or networkPolicy.enabled be false
{{- end }}
{{- end }}

{{/* Without a cluster, as in `helm template`, nothing is found, not even the namespace's own account,
     and nothing is said. */}}
{{- define "observability.rules.secrets" -}}
{{- if lookup "v1" "ServiceAccount" .Release.Namespace "default" }}
{{- $wanted := dict }}
{{- if and .Values.grafana.enabled .Values.grafana.existingSecret }}
{{- $_ := set $wanted .Values.grafana.existingSecret "password" }}
{{- end }}
{{- range include "observability.authorized" . | fromYamlArray }}
{{- $secret := (get $.Values .).external.authorizationSecret }}
{{- $_ := set $wanted $secret.name $secret.key }}
{{- end }}
{{- range $name, $key := $wanted }}
{{- $found := lookup "v1" "Secret" $.Release.Namespace $name }}
{{- if not $found }}
- the Secret {{ $name }} is not in the namespace {{ $.Release.Namespace }}; it needs the key {{ $key }}
{{- else if not (hasKey $found.data $key) }}
- the Secret {{ $name }} has no key {{ $key }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
