{{- /* (dict "root" $ "config" .Values.worker): the Secret with the role's certificates, empty without one. */ -}}
{{- define "precompute.kafkaTlsSecret" -}}
{{- .config.credentials.kafka.tlsSecret | default .root.Values.kafka.security.tls.existingSecret -}}
{{- end -}}

{{- define "precompute.kafkaTopicEnv" -}}
{{- with .Values.kafka -}}
- {name: KAFKA_BOOTSTRAP_SERVERS, value: {{ .bootstrapServers | quote }}}
- {name: PRECOMPUTE_TOPIC_PREFIX, value: {{ .topicPrefix | quote }}}
- {name: PRECOMPUTE_PARTITIONS, value: {{ .partitions | int64 | quote }}}
- {name: PRECOMPUTE_REPLICATION, value: {{ .replication | int64 | quote }}}
- {name: PRECOMPUTE_MIN_INSYNC_REPLICAS, value: {{ .minInsyncReplicas | int64 | quote }}}
- {name: PRECOMPUTE_GROUP_STREAMS, value: {{ .groups.streams | quote }}}
- {name: PRECOMPUTE_GROUP_WORKER, value: {{ .groups.worker | quote }}}
- {name: PRECOMPUTE_GROUP_PROTOCOL, value: {{ .groupProtocol | quote }}}
{{- end }}
{{- end -}}

{{- /* (dict "root" $ "config" .Values.worker "made" NAME): the role's own user, or the one of all; `made` is the
Secret that the chart makes of a password. */ -}}
{{- define "precompute.kafkaSecurityEnv" -}}
{{- $own := .config.credentials.kafka -}}
{{- $tlsSecret := include "precompute.kafkaTlsSecret" . -}}
{{- with .root.Values.kafka.security -}}
- {name: PRECOMPUTE_KAFKA_SECURITY_PROTOCOL, value: {{ .protocol | quote }}}
{{- if hasPrefix "SASL" .protocol }}
- {name: PRECOMPUTE_KAFKA_SASL_MECHANISM, value: {{ .mechanism | quote }}}
- {name: PRECOMPUTE_KAFKA_SASL_USERNAME, value: {{ $own.username | default .username | quote }}}
- name: PRECOMPUTE_KAFKA_SASL_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ coalesce $own.existingSecret .existingSecret $.made | quote }}, key: {{ $own.passwordKey | default .passwordKey | quote }}}}
{{- end }}
{{- if $tlsSecret }}
- {name: PRECOMPUTE_KAFKA_CA_FILE, value: {{ printf "/etc/precompute/kafka/%s" .tls.caKey | quote }}}
{{- with .tls.certKey }}
- {name: PRECOMPUTE_KAFKA_CERT_FILE, value: {{ printf "/etc/precompute/kafka/%s" . | quote }}}
{{- end }}
{{- with .tls.keyKey }}
- {name: PRECOMPUTE_KAFKA_KEY_FILE, value: {{ printf "/etc/precompute/kafka/%s" . | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* The ports of the brokers, for the NetworkPolicy. */ -}}
{{- define "precompute.kafkaPorts" -}}
{{- $ports := list -}}
{{- range splitList "," .Values.kafka.bootstrapServers -}}
{{- $ports = append $ports (regexFind "[0-9]+$" (trim .) | default "9092") -}}
{{- end -}}
{{- $ports | uniq | join "," -}}
{{- end -}}
