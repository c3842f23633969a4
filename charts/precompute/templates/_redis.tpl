{{- /* (dict "root" $ "config" .Values.worker): the Secret with the role's password, empty without one. */ -}}
{{- define "precompute.redisSecret" -}}
{{- $redis := .root.Values.redis -}}
{{- $made := ternary (printf "%s-redis" (include "precompute.fullname" .root)) "" (not (empty $redis.password)) -}}
{{- coalesce .config.credentials.redis.existingSecret $redis.existingSecret $made | default "" -}}
{{- end -}}

{{- /* The URL; Kubernetes puts the password in. */ -}}
{{- define "precompute.redisUrl" -}}
{{- $username := .config.credentials.redis.username | default .root.Values.redis.username -}}
{{- $secret := include "precompute.redisSecret" . -}}
{{- with .root.Values.redis -}}
{{- $auth := "" -}}
{{- if $secret -}}
{{- $auth = printf "%s:$(REDIS_PASSWORD)@" $username -}}
{{- else if $username -}}
{{- $auth = printf "%s@" $username -}}
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
{{- $redis := .root.Values.redis -}}
{{- $secret := include "precompute.redisSecret" . -}}
{{- if $redis.urlKey -}}
- name: REDIS_URL
  valueFrom: {secretKeyRef: {name: {{ $secret | quote }}, key: {{ $redis.urlKey | quote }}}}
{{- else -}}
{{- if $secret -}}
- name: REDIS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ $secret | quote }}, key: {{ .config.credentials.redis.passwordKey | default $redis.passwordKey | quote }}}}
{{ end -}}
- {name: REDIS_URL, value: {{ include "precompute.redisUrl" . | quote }}}
{{- end }}
- {name: PRECOMPUTE_NAMESPACE, value: {{ $redis.keyPrefix | quote }}}
{{- end -}}
