{{/* The API's pod; the same in a Deployment and in a StatefulSet but for where the spool is.

     Start: the schema, then ship, then api. Stop: preStop 5 s, api finishes its requests in up to
     13 s, then ship, a sidecar, is told to stop and sends what is left in up to 15 s. */}}
{{- define "madang.api.template" -}}
metadata:
  labels:
    {{- include "madang.podLabels" (list . "api") | nindent 4 }}
spec:
  {{- include "madang.pod" (list . .Values.image.uid "processes") | nindent 2 }}
  {{- include "madang.spread" (list . "api") | nindent 2 }}
  terminationGracePeriodSeconds: 45
  initContainers:
    {{- include "madang.waitForSchema" . | nindent 4 }}
    {{- include "madang.api.ship" . | nindent 4 }}
  containers:
    {{- include "madang.api.container" . | nindent 4 }}
  volumes:
    {{- include "madang.tmp" . | nindent 4 }}
    - name: ship-tmp
      emptyDir: {sizeLimit: 64Mi}
    {{- include "madang.authorities.volumes" . | nindent 4 }}
    {{- if not .Values.spool.persistence.enabled }}
    # Above maxMiB, for a pod that fills its volume is evicted, and its calls with it.
    - name: spool
      emptyDir: {sizeLimit: {{ add .Values.spool.maxMiB 128 }}Mi}
    {{- end }}
{{- end }}

{{- define "madang.api.container" -}}
- name: api
  {{- include "madang.image" (list . .Values.image) | nindent 2 }}
  {{- include "madang.containerSecurity" . | nindent 2 }}
  args:
    - api
    - --host=0.0.0.0
    - --port=5000
    - --workers={{ .Values.api.workers }}
    - --threads={{ .Values.api.threads }}
  env:
    {{- include "madang.env.process" . | nindent 4 }}
    {{- include "madang.env.database" . | nindent 4 }}
    {{- include "madang.env.redis" . | nindent 4 }}
    {{- include "madang.env.browser" . | nindent 4 }}
    {{- include "madang.api.spoolEnv" . | nindent 4 }}
    - name: MADANG_SPOOL_MAX_BYTES
      value: {{ mul .Values.spool.maxMiB 1048576 | quote }}
    - name: MADANG_SPOOL_POLICY
      value: {{ .Values.spool.policy }}
  ports:
    - {name: http, containerPort: 5000}
  {{- include "madang.liveness" 5000 | nindent 2 }}
  {{- include "madang.readiness" (list 5000 "live") | nindent 2 }}
  {{- include "madang.leaveEndpoints" . | nindent 2 }}
  resources:
    {{- toYaml .Values.api.resources | nindent 4 }}
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
    - {name: spool, mountPath: /var/spool/madang}
    {{- include "madang.authorities.mounts" . | nindent 4 }}
{{- end }}

{{/* A sidecar: it starts before api and is stopped after it. It has no readiness probe, for the API
     serves on while ship, Kafka or Redis do not. */}}
{{- define "madang.api.ship" -}}
- name: ship
  restartPolicy: Always
  {{- include "madang.image" (list . .Values.image) | nindent 2 }}
  {{- include "madang.containerSecurity" . | nindent 2 }}
  args: [ship, --host=0.0.0.0, --port=5002]
  env:
    {{- include "madang.env.process" . | nindent 4 }}
    {{- include "madang.env.kafka" . | nindent 4 }}
    {{- include "madang.env.redis" . | nindent 4 }}
    {{- include "madang.api.spoolEnv" . | nindent 4 }}
  ports:
    - {name: ship-probes, containerPort: 5002}
  {{- include "madang.liveness" 5002 | nindent 2 }}
  resources:
    {{- toYaml .Values.ship.resources | nindent 4 }}
  volumeMounts:
    - {name: ship-tmp, mountPath: /tmp}
    - {name: spool, mountPath: /var/spool/madang}
    {{- include "madang.authorities.mounts" . | nindent 4 }}
{{- end }}

{{/* A folder of its own, for a volume may hold others (lost+found). */}}
{{- define "madang.api.spoolEnv" -}}
- name: MADANG_SPOOL_DIR
  value: /var/spool/madang/calls
{{- end }}
