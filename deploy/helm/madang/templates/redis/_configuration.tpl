{{/* The server's options; it reads them only when it starts. */}}
{{- define "madang.redis.configuration" -}}
# A cache: nothing is written to disk, and nothing is lost with it.
save ""
appendonly no
dir /tmp
maxmemory {{ .Values.redis.maxMemory }}
maxmemory-policy volatile-lru
{{- end }}
