{{/* (dict "root" . "component" "migrate" "container" text "init" text): the spec of a Job. What starts
     a Job anew is a change in it, for its name ends with its hash. */}}
{{- define "madang.job" -}}
backoffLimit: 3
activeDeadlineSeconds: 1800
template:
  metadata:
    labels:
      {{- include "madang.selector" (list .root .component) | nindent 6 }}
  spec:
    {{- include "madang.pod" (list .root .root.Values.image.uid "processes") | nindent 4 }}
    restartPolicy: Never
    {{- with .init }}
    initContainers:
      {{- . | nindent 6 }}
    {{- end }}
    containers:
      - name: {{ .component }}
        {{- include "madang.image" (list .root .root.Values.image) | nindent 8 }}
        {{- include "madang.containerSecurity" .root | nindent 8 }}
        {{- .container | nindent 8 }}
        resources:
          {{- toYaml .root.Values.jobs.resources | nindent 10 }}
        volumeMounts:
          - {name: tmp, mountPath: /tmp}
          {{- include "madang.authorities.mounts" .root | nindent 10 }}
    volumes:
      {{- include "madang.tmp" .root | nindent 6 }}
      {{- include "madang.authorities.volumes" .root | nindent 6 }}
{{- end }}
