{{/* (list . "api" "Deployment"): more pods by the CPU of the component's own container, without sidecars. */}}
{{- define "madang.autoscaler" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $kind := index . 2 -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "madang.metadata" (list $root $component $component) | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: {{ $kind }}
    name: {{ include "madang.fullname" $root }}-{{ $component }}
  minReplicas: {{ $root.Values.autoscaling.minReplicas }}
  maxReplicas: {{ $root.Values.autoscaling.maxReplicas }}
  metrics:
    - type: ContainerResource
      containerResource:
        name: cpu
        container: {{ $component }}
        target:
          type: Utilization
          averageUtilization: {{ $root.Values.autoscaling.cpuPercent }}
{{- end }}

{{/* (list . "api"): its pods are taken down one by one. */}}
{{- define "madang.disruptionBudget" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "madang.metadata" (list $root $component $component) | nindent 2 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "madang.selector" . | nindent 6 }}
{{- end }}
