{{- /* Combinations that would start and then not work, or work less safely than they look. */ -}}
{{- define "precompute.refuse" -}}
{{- include "precompute.refuseKafka" . -}}
{{- include "precompute.refuseRedis" . -}}
{{- include "precompute.refuseCredentials" . -}}
{{- include "precompute.refuseScaling" . -}}
{{- include "precompute.refuseExposure" . -}}
{{- include "precompute.refuseSettings" . -}}
{{- end -}}

{{- /* "own" where every role brings a Secret of its own for SERVER: then none of all roles is needed.
(dict "root" $ "server" "redis"). */ -}}
{{- define "precompute.everyRolesOwn" -}}
{{- $own := true -}}
{{- $jobs := and (eq .server "kafka") .root.Values.topicsJob.enabled -}}
{{- range $role := concat (list "streams" "worker" "api") (ternary (list "topicsJob") list $jobs) -}}
{{- if not (index $.root.Values $role "credentials" $.server "existingSecret") -}}{{- $own = false -}}{{- end -}}
{{- end -}}
{{- if $own -}}own{{- end -}}
{{- end -}}

{{- define "precompute.refuseCredentials" -}}
{{- range $role := list "streams" "worker" "api" "topicsJob" -}}
{{- $own := (index $.Values $role).credentials -}}
{{- range $server, $user := $own -}}
{{- if and $user.username (not $user.existingSecret) -}}
{{- fail (printf "%s.credentials.%s.username has no existingSecret: the password of all roles is another user's" $role $server) -}}
{{- end -}}
{{- end -}}
{{- if and $own.kafka.existingSecret (not $own.kafka.username) -}}
{{- fail (printf "%s.credentials.kafka.existingSecret has no username: name the user that the password is of" $role) -}}
{{- end -}}
{{- if and $own.kafka.username (not (hasPrefix "SASL" $.Values.kafka.security.protocol)) -}}
{{- fail (printf "%s.credentials.kafka is set but protocol %s sends none: set SASL_SSL or SASL_PLAINTEXT" $role $.Values.kafka.security.protocol) -}}
{{- end -}}
{{- if and $own.kafka.tlsSecret (not (hasSuffix "SSL" $.Values.kafka.security.protocol)) -}}
{{- fail (printf "%s.credentials.kafka.tlsSecret is set but protocol %s is not encrypted: set SSL or SASL_SSL" $role $.Values.kafka.security.protocol) -}}
{{- end -}}
{{- if and $own.redis $.Values.redis.urlKey $own.redis.username -}}
{{- fail (printf "%s.credentials.redis.username is set, but redis.urlKey takes the whole URL from the Secret: leave it empty" $role) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "precompute.refuseKafka" -}}
{{- $security := .Values.kafka.security -}}
{{- $own := include "precompute.everyRolesOwn" (dict "root" . "server" "kafka") -}}
{{- $sasl := hasPrefix "SASL" $security.protocol -}}
{{- if not .Values.kafka.bootstrapServers -}}
{{- fail "kafka.bootstrapServers is empty: name your brokers, for example kafka.kafka.svc:9092" -}}
{{- end -}}
{{- if gt (int64 .Values.kafka.minInsyncReplicas) (int64 .Values.kafka.replication) -}}
{{- fail "kafka.minInsyncReplicas is above kafka.replication: no write would ever be acknowledged" -}}
{{- end -}}
{{- if and $security.password $security.existingSecret -}}
{{- fail "kafka.security.password and kafka.security.existingSecret are both set: keep one" -}}
{{- end -}}
{{- $shared := and $security.username (or $security.password $security.existingSecret) -}}
{{- if and $sasl (not (and $security.mechanism (or $shared $own))) -}}
{{- fail (printf "kafka.security.protocol %s needs mechanism, username and a password or existingSecret" $security.protocol) -}}
{{- end -}}
{{- if and (not $sasl) (or $security.mechanism $security.username $security.password $security.existingSecret) -}}
{{- fail (printf "kafka.security has credentials but protocol %s sends none: set SASL_SSL or SASL_PLAINTEXT" $security.protocol) -}}
{{- end -}}
{{- if and $security.tls.existingSecret (not (hasSuffix "SSL" $security.protocol)) -}}
{{- fail (printf "kafka.security.tls is set but protocol %s is not encrypted: set SSL or SASL_SSL" $security.protocol) -}}
{{- end -}}
{{- if ne (empty $security.tls.certKey) (empty $security.tls.keyKey) -}}
{{- fail "kafka.security.tls.certKey and keyKey belong together: mutual TLS needs both" -}}
{{- end -}}
{{- end -}}

{{- define "precompute.refuseRedis" -}}
{{- $redis := .Values.redis -}}
{{- $own := include "precompute.everyRolesOwn" (dict "root" . "server" "redis") -}}
{{- if and $redis.urlKey (not (or $redis.existingSecret $own)) -}}
{{- fail "redis.urlKey names a key, but redis.existingSecret names no Secret" -}}
{{- end -}}
{{- if and $redis.urlKey (or $redis.host $redis.username $redis.password) -}}
{{- fail "redis.urlKey takes the whole URL from the Secret: leave host, username and password empty" -}}
{{- end -}}
{{- if not (or $redis.urlKey $redis.host) -}}
{{- fail "redis.host is empty: name your Redis or Valkey, or take the URL from a Secret with redis.urlKey" -}}
{{- end -}}
{{- if and $redis.password $redis.existingSecret -}}
{{- fail "redis.password and redis.existingSecret are both set: keep one" -}}
{{- end -}}
{{- if and $redis.tls.existingSecret (not $redis.tls.enabled) -}}
{{- fail "redis.tls.existingSecret is set but redis.tls.enabled is false: the connection would be plaintext" -}}
{{- end -}}
{{- if ne (empty $redis.tls.certKey) (empty $redis.tls.keyKey) -}}
{{- fail "redis.tls.certKey and keyKey belong together: mutual TLS needs both" -}}
{{- end -}}
{{- end -}}

{{- define "precompute.refuseScaling" -}}
{{- $partitions := int64 .Values.kafka.partitions -}}
{{- $keda := .Values.worker.autoscaling.keda -}}
{{- $hpa := .Values.worker.autoscaling.hpa -}}
{{- if and $keda.enabled $hpa.enabled -}}
{{- fail "worker.autoscaling.keda and worker.autoscaling.hpa are both enabled: they would fight over the replicas, keep one" -}}
{{- end -}}
{{- $most := dict "streams.replicas" .Values.streams.replicas "worker.replicas" .Values.worker.replicas -}}
{{- if $keda.enabled -}}{{- $_ := set $most "worker.autoscaling.keda.maxReplicas" $keda.maxReplicas -}}{{- end -}}
{{- if $hpa.enabled -}}{{- $_ := set $most "worker.autoscaling.hpa.maxReplicas" $hpa.maxReplicas -}}{{- end -}}
{{- range $name, $replicas := $most -}}
{{- if gt (int64 $replicas) $partitions -}}
{{- fail (printf "%s is %d, but kafka.partitions is %d: the replicas above it would never get work" $name (int64 $replicas) $partitions) -}}
{{- end -}}
{{- end -}}
{{- range $name, $range := dict "worker.autoscaling.keda" $keda "worker.autoscaling.hpa" $hpa "api.autoscaling.hpa" .Values.api.autoscaling.hpa -}}
{{- if and $range.enabled (gt (int64 $range.minReplicas) (int64 $range.maxReplicas)) -}}
{{- fail (printf "%s.minReplicas is above its maxReplicas" $name) -}}
{{- end -}}
{{- end -}}
{{- if and $keda.enabled (le (int64 $keda.cooldownSeconds) (int64 .Values.worker.graceSeconds)) -}}
{{- fail "worker.autoscaling.keda.cooldownSeconds must be above worker.graceSeconds: a worker would be asked back while it drains" -}}
{{- end -}}
{{- end -}}

{{- define "precompute.refuseExposure" -}}
{{- $api := .Values.api -}}
{{- $exposed := or $api.ingress.enabled $api.httpRoute.enabled (ne $api.service.type "ClusterIP") -}}
{{- if and $exposed (eq $api.auth "off") (not $api.exposeWithoutKeys) -}}
{{- fail "api.auth is off and the API would be reachable from outside: set api.auth to on, or let your gateway ask for keys and say api.exposeWithoutKeys=true" -}}
{{- end -}}
{{- if and $api.ingress.enabled (not $api.ingress.hosts) -}}
{{- fail "api.ingress.hosts is empty: an Ingress without a host would catch every name" -}}
{{- end -}}
{{- if and $api.httpRoute.enabled (not $api.httpRoute.parentRefs) -}}
{{- fail "api.httpRoute.parentRefs is empty: name the Gateway" -}}
{{- end -}}
{{- if and .Values.metrics.podMonitor.enabled .Values.metrics.serviceMonitor.enabled -}}
{{- fail "metrics.podMonitor and metrics.serviceMonitor are both enabled: every pod would be counted twice, keep one" -}}
{{- end -}}
{{- end -}}

{{- define "precompute.refuseSettings" -}}
{{- $owners := dict
  "PRECOMPUTE_WORKERS" "worker.slots"
  "PRECOMPUTE_CPU_PROCESSES" "worker.cpuProcesses"
  "PRECOMPUTE_GRACE_S" "graceSeconds of the role"
  "PRECOMPUTE_NAMESPACE" "redis.keyPrefix"
  "PRECOMPUTE_PARTITIONS" "kafka.partitions"
  "PRECOMPUTE_REPLICATION" "kafka.replication"
  "PRECOMPUTE_MIN_INSYNC_REPLICAS" "kafka.minInsyncReplicas"
  "PRECOMPUTE_TOPIC_PREFIX" "kafka.topicPrefix"
  "PRECOMPUTE_GROUP_STREAMS" "kafka.groups.streams"
  "PRECOMPUTE_GROUP_WORKER" "kafka.groups.worker"
  "PRECOMPUTE_GROUP_PROTOCOL" "kafka.groupProtocol"
  "PRECOMPUTE_TABLE_STORE" "streams.store"
  "PRECOMPUTE_AUTH" "api.auth"
  "PRECOMPUTE_LOG_LEVEL" "log.level"
  "PRECOMPUTE_LOG_FORMAT" "log.format" -}}
{{- range $name, $_ := .Values.settings -}}
{{- with get $owners $name -}}
{{- fail (printf "settings.%s is the chart's own: set %s instead" $name .) -}}
{{- end -}}
{{- if or (hasPrefix "PRECOMPUTE_KAFKA_" $name) (has $name (list "PRECOMPUTE_REDIS_URL" "PRECOMPUTE_HOST" "PRECOMPUTE_PORT" "PRECOMPUTE_METRICS_HOST" "PRECOMPUTE_METRICS_PORT" "PRECOMPUTE_DATA_DIR" "PRECOMPUTE_ARTIFACT_DIR")) -}}
{{- fail (printf "settings.%s is the chart's own: see the values under kafka, redis, api and metrics" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
