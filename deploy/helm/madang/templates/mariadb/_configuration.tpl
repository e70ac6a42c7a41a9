{{/* The server's options; it reads them only when it starts. */}}
{{- define "madang.mariadb.configuration" -}}
[mariadbd]
skip-name-resolve = ON
character-set-server = utf8mb4
collation-server = utf8mb4_unicode_ci
innodb-buffer-pool-size = {{ .Values.mariadb.bufferPool }}
# A write is on the disk when its answer leaves.
innodb-flush-log-at-trx-commit = 1
performance-schema = OFF
max-connections = 400
tmpdir = /tmp
{{- range $option, $value := .Values.mariadb.settings }}
{{ $option }} = {{ $value }}
{{- end }}
{{- end }}
