{{- /* Environment of every role: (dict "root" $ "config" .Values.worker). */ -}}
{{- define "precompute.env" -}}
{{ include "precompute.kafkaTopicEnv" .root }}
{{ include "precompute.kafkaSecurityEnv" (dict "root" .root "config" .config "made" (printf "%s-kafka" (include "precompute.fullname" .root))) }}
{{ include "precompute.redisEnv" . }}
- {name: PRECOMPUTE_METRICS_HOST, value: "0.0.0.0"}
- {name: PRECOMPUTE_METRICS_PORT, value: "9464"}
- {name: PRECOMPUTE_GRACE_S, value: {{ .config.graceSeconds | int64 | quote }}}
- {name: PRECOMPUTE_LOG_LEVEL, value: {{ .root.Values.log.level | quote }}}
- {name: PRECOMPUTE_LOG_FORMAT, value: {{ .root.Values.log.format | quote }}}
{{- if .root.Values.handlers.httpServices }}
- {name: PRECOMPUTE_HTTP_HANDLERS, value: /etc/precompute/handlers/http.json}
{{- end }}
{{- range $name, $value := .root.Values.settings }}
- {name: {{ $name }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- with concat .root.Values.extraEnv .config.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "precompute.envFrom" -}}
{{- with concat .root.Values.extraEnvFrom .config.extraEnvFrom -}}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{- define "precompute.volumeMounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if include "precompute.kafkaTlsSecret" . }}
- {name: kafka-tls, mountPath: /etc/precompute/kafka, readOnly: true}
{{- end }}
{{- if and .root.Values.redis.tls.enabled .root.Values.redis.tls.existingSecret }}
- {name: redis-tls, mountPath: /etc/precompute/redis, readOnly: true}
{{- end }}
{{- if .root.Values.handlers.httpServices }}
- {name: handlers, mountPath: /etc/precompute/handlers, readOnly: true}
{{- end }}
{{- with .config.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "precompute.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: {{ .config.scratchSize | default "256Mi" }}}
{{- with include "precompute.kafkaTlsSecret" . }}
- name: kafka-tls
  secret: {secretName: {{ . | quote }}, defaultMode: 288}
{{- end }}
{{- if and .root.Values.redis.tls.enabled .root.Values.redis.tls.existingSecret }}
- name: redis-tls
  secret: {secretName: {{ .root.Values.redis.tls.existingSecret | quote }}, defaultMode: 288}
{{- end }}
{{- if .root.Values.handlers.httpServices }}
- name: handlers
  configMap: {name: {{ include "precompute.fullname" .root }}-handlers}
{{- end }}
{{- with .config.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Probes. Live and started: the event loop turns. Ready: the role can do its work now. */ -}}
{{- define "precompute.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: metrics}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: {{ .readyPort }}}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end -}}

{{- define "precompute.podMetadata" -}}
labels:
  {{- include "precompute.roleLabels" . | nindent 2 }}
  {{- with .config.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  {{- /* A changed password restarts the pods that read it. */}}
  checksum/secrets: {{ printf "%s/%s" .root.Values.kafka.security.password .root.Values.redis.password | sha256sum | trunc 16 }}
  {{- with .root.Values.handlers.httpServices }}
  checksum/handlers: {{ toJson . | sha256sum | trunc 16 }}
  {{- end }}
  {{- with .config.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- /* The part of a pod's spec that is the same for every role. */ -}}
{{- define "precompute.podSpec" -}}
serviceAccountName: {{ include "precompute.serviceAccountName" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ include "precompute.terminationSeconds" .config }}
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .config.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .config.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .config.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .config.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- include "precompute.topologySpread" . | nindent 2 }}
{{- with .config.initContainers }}
initContainers:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "precompute.topologySpread" -}}
{{- if .config.topologySpreadConstraints -}}
{{ toYaml .config.topologySpreadConstraints }}
{{- else -}}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "precompute.roleSelector" $ | nindent 6 }}
{{- end }}
{{- end -}}
{{- end -}}

{{- /* The drain, and time for the connections to close and the process to leave. */ -}}
{{- define "precompute.terminationSeconds" -}}
{{- add (int64 .graceSeconds) 15 -}}
{{- end -}}

{{- define "precompute.container" -}}
image: {{ include "precompute.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  {{- toYaml .root.Values.containerSecurityContext | nindent 2 }}
resources:
  {{- toYaml .config.resources | nindent 2 }}
{{- end -}}
