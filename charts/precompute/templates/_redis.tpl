{{- define "precompute.redisSecret" -}}
{{- .Values.redis.existingSecret | default (printf "%s-redis" (include "precompute.fullname" .)) -}}
{{- end -}}

{{- /* The URL; Kubernetes puts the password in. */ -}}
{{- define "precompute.redisUrl" -}}
{{- with .Values.redis -}}
{{- $auth := "" -}}
{{- if or .password .existingSecret -}}
{{- $auth = printf "%s:$(REDIS_PASSWORD)@" .username -}}
{{- else if .username -}}
{{- $auth = printf "%s@" .username -}}
{{- end -}}
{{- $query := list -}}
{{- if and .tls.enabled .tls.existingSecret -}}
{{- $query = append $query (printf "ssl_ca_certs=/etc/precompute/redis/%s" .tls.caKey) -}}
{{- if .tls.certKey -}}
{{- $query = append $query (printf "ssl_certfile=/etc/precompute/redis/%s" .tls.certKey) -}}
{{- $query = append $query (printf "ssl_keyfile=/etc/precompute/redis/%s" .tls.keyKey) -}}
{{- end -}}
{{- end -}}
{{- printf "%s://%s%s:%d/%d" (ternary "rediss" "redis" .tls.enabled) $auth .host (int64 .port) (int64 .database) -}}
{{- if $query }}?{{ join "&" $query }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "precompute.redisEnv" -}}
{{- if .Values.redis.urlKey -}}
- name: REDIS_URL
  valueFrom: {secretKeyRef: {name: {{ .Values.redis.existingSecret | quote }}, key: {{ .Values.redis.urlKey | quote }}}}
{{- else -}}
{{- if or .Values.redis.password .Values.redis.existingSecret -}}
- name: REDIS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "precompute.redisSecret" . | quote }}, key: {{ .Values.redis.passwordKey | quote }}}}
{{ end -}}
- {name: REDIS_URL, value: {{ include "precompute.redisUrl" . | quote }}}
{{- end }}
- {name: PRECOMPUTE_NAMESPACE, value: {{ .Values.redis.keyPrefix | quote }}}
{{- end -}}
