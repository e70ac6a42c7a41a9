{{/* (list . uid "processes"): what the pods of all components have in common; the ending of the
     ServiceAccount's name. */}}
{{- define "madang.pod" -}}
{{- $root := index . 0 -}}
{{- $uid := index . 1 | int -}}
serviceAccountName: {{ include "madang.fullname" $root }}-{{ index . 2 }}
automountServiceAccountToken: false
# Kafka's image takes every variable KAFKA_* for a property, and a Service named kafka makes some.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ $uid }}
  runAsGroup: {{ $uid }}
  fsGroup: {{ $uid }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* (list . "api"): its pods on different nodes and zones, where there are several. */}}
{{- define "madang.spread" -}}
topologySpreadConstraints:
  {{- $selector := include "madang.selector" . }}
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- $selector | nindent 8 }}
  {{- end }}
{{- end }}

{{- define "madang.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* The command that runs its arguments again until they succeed; a wrong setting (exit code 2)
     ends it, for that does not mend itself. */}}
{{- define "madang.retried" -}}
command:
  - sh
  - -c
  - |
    trap 'exit 143' TERM
    until "$@"; do
      [ $? -ne 2 ] || exit 2
      sleep 2
    done
  - retried
{{- end }}

{{/* The init container that holds a process back until the schema is there. */}}
{{- define "madang.waitForSchema" -}}
- name: wait-for-schema
  {{- include "madang.image" (list . .Values.image) | nindent 2 }}
  {{- include "madang.containerSecurity" . | nindent 2 }}
  {{- include "madang.retried" . | nindent 2 }}
  args: [madang, migrate, --check]
  env:
    {{- include "madang.env.database" . | nindent 4 }}
  resources:
    {{- toYaml .Values.jobs.resources | nindent 4 }}
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
    {{- include "madang.authorities.mounts" . | nindent 4 }}
{{- end }}

{{/* The port: whether a process of ours answers at all. */}}
{{- define "madang.liveness" -}}
startupProbe:
  httpGet: {path: /api/health/live, port: {{ . }}}
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 120
livenessProbe:
  httpGet: {path: /api/health/live, port: {{ . }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
{{- end }}

{{/* (list port "live"): whether requests may come. Behind a Service that is `live`: what all its
     pods share, such as the database, takes none of them away (docs/adr/0012). */}}
{{- define "madang.readiness" -}}
readinessProbe:
  httpGet: {path: /api/health/{{ index . 1 }}, port: {{ index . 0 }}}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 3
{{- end }}

{{/* While it waits, the pod leaves the endpoints: no request comes after the stop has begun. */}}
{{- define "madang.leaveEndpoints" -}}
lifecycle:
  preStop:
    sleep: {seconds: 5}
{{- end }}

{{- define "madang.tmp" -}}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- end }}

{{/* A claim of {size, storageClass}. */}}
{{- define "madang.claim" -}}
accessModes: [ReadWriteOnce]
{{- with .storageClass }}
storageClassName: {{ . | quote }}
{{- end }}
resources:
  requests:
    storage: {{ .size }}
{{- end }}
