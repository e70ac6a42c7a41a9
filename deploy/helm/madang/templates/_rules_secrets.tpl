{{/* The Secrets that values name, as they are in the cluster. Without one, as in `helm template`,
     nothing is found, not even the namespace's own account, and nothing is said. */}}
{{- define "madang.rules.secrets" -}}
{{- if lookup "v1" "ServiceAccount" .Release.Namespace "default" }}
{{- $shapes := include "madang.shapes" . | fromYaml }}
{{- range include "madang.wantedSecrets" . | fromYamlArray }}
{{- $name := .name }}
{{- $shape := .shape }}
{{- $found := lookup "v1" "Secret" $.Release.Namespace $name }}
{{- if not $found }}
- the Secret {{ $name }} is not in the namespace {{ $.Release.Namespace }}; it needs the keys {{ join ", " .keys }}
{{- else }}
{{- range $key := .keys }}
{{- $shape := get $shapes ($shape | default $key) }}
{{- if not (hasKey ($found.data | default dict) $key) }}
- the Secret {{ $name }} has no key {{ $key }}
{{- else if not (regexMatch $shape.pattern (get $found.data $key | b64dec)) }}
- the key {{ $key }} of the Secret {{ $name }} must {{ $shape.words }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* A list of names, each with its keys; `shape` where the values have not that of their key. */}}
{{- define "madang.wantedSecrets" -}}
{{- with .Values.secrets.existingSecret }}
- name: {{ . | quote }}
  keys:
    {{- include "madang.secretKeys" $ | nindent 4 }}
{{- end }}
{{- if and .Values.admin.enabled .Values.admin.existingSecret }}
- {name: {{ .Values.admin.existingSecret | quote }}, keys: [username, password]}
{{- end }}
{{- range $store := list "mariadb" "redis" "kafka" }}
{{- if not (get $.Values $store).enabled }}
{{- include "madang.wantedSecrets.outside" (list $store (get $.Values $store).external) }}
{{- end }}
{{- end }}
{{- end }}

{{/* (list "kafka" .Values.kafka.external) */}}
{{- define "madang.wantedSecrets.outside" -}}
{{- with index . 1 }}
{{- if and .urlSecret .urlSecret.name }}
- {name: {{ .urlSecret.name | quote }}, keys: [{{ .urlSecret.key | quote }}], shape: {{ index $ 0 }}}
{{- end }}
{{- if and .credentialsSecret (hasPrefix "SASL_" .securityProtocol) }}
- {name: {{ .credentialsSecret | quote }}, keys: [username, password], shape: filled}
{{- end }}
{{- with .caSecret }}
- {name: {{ . | quote }}, keys: [ca.crt]}
{{- end }}
{{- end }}
{{- end }}

{{/* The keys of the one Secret that these values make use of. */}}
{{- define "madang.secretKeys" -}}
- secret-key
{{- if .Values.mariadb.enabled }}
- mariadb-password
- mariadb-root-password
{{- end }}
{{- if .Values.redis.enabled }}
- redis-password
{{- end }}
{{- if .Values.kafka.enabled }}
- kafka-cluster-id
{{- end }}
{{- end }}

{{/* What a value must be to be of use, by the name of its key. */}}
{{- define "madang.shapes" -}}
secret-key: {pattern: '^[\s\S]{32,}$', words: have 32 characters or more}
mariadb-password: {pattern: '^[^@%\s]+$', words: 'hold no @, % or blank, for it stands in an address'}
mariadb-root-password: &filled {pattern: '^[\s\S]+$', words: not be empty}
redis-password: {pattern: '^[A-Za-z0-9._~-]+$', words: 'hold only letters, digits and . _ ~ -, for it stands in an address'}
kafka-cluster-id: {pattern: '^[A-Za-z0-9_][A-Za-z0-9_-]{21}$', words: 'be 16 bytes in URL-safe base64, 22 characters'}
username: {pattern: '^[\pL\pM\pN_.-]{2,}$', words: 'be two or more letters, digits and _ . -'}
password: {pattern: '^[\s\S]{8,}$', words: have 8 characters or more}
filled: *filled
mariadb: {pattern: '^(mariadb|mysql)(\+[a-z]+)?://\S+@\S+/\S+$', words: 'be mariadb://user:password@host:port/database and nothing more'}
redis: {pattern: '^rediss?://\S+$', words: 'be redis:// or rediss://:password@host:port and nothing more'}
ca.crt: {pattern: '-----BEGIN CERTIFICATE-----', words: hold certificates in PEM}
{{- end }}
